"""Taking hosts and the lab's network away, also what a killed lab left."""

import shutil
from functools import partial
from pathlib import Path

from lab import network, paths, prepare, processes, requirements, state, system


def stop(record: state.Record) -> None:
    """End everything of one host at once and wait until it is gone; no-op for a stopped one."""
    _end_processes(record.folder)
    system.run(["ip", "link", "delete", network.link(record.address)], check=False)
    _remove_groups(f"{paths.prefix()}{record.name}")


def remove_host(name: str) -> None:
    """Remove one host, whatever is left of it, and the network with the last one. Needs the host's lock."""
    folder = paths.host(name)
    record = state.find(name)
    if record:
        stop(record)
        prepare.debs_out(record)
    else:
        _end_processes(folder)
    with state.lock():
        if folder.exists():
            # Out of sight at once: a half removed host must not be taken for one.
            (folder / "host.json").unlink(missing_ok=True)
            shutil.rmtree(folder)
        state.publish()
        if not state.records():
            _remove_shared()


def strays() -> None:
    """Remove what belongs to no host, left by a lab that was killed. With no host left, the network too."""
    with state.lock():
        known = {record.name for record in state.records()}
        for folder in (paths.state() / "hosts").iterdir():
            if folder.name not in known:
                _end_processes(folder)
                shutil.rmtree(folder)
        state.publish()
        if not known:
            _remove_shared()


def _remove_shared() -> None:
    for pid in processes.ours():
        processes.end(pid)
    processes.wait(lambda: not processes.ours(), 20, "some of the lab's processes do not end")
    for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
        where = line.split()[1]
        if where.startswith(f"{paths.state()}/"):
            system.run(["umount", "--lazy", where], check=False)
    _remove_groups(f"{paths.prefix()}*")
    network.remove()


def _end_processes(folder: Path) -> None:
    for find in (processes.leader, processes.supervisor, processes.nspawn):
        pid = find(folder)
        if pid is not None:
            processes.end(pid)
            processes.wait(partial(processes.gone, pid), 20, f"process {pid} of {folder.name} does not end")


def _remove_groups(pattern: str) -> None:
    """Remove control groups with all that is left in them (before its exec a process has no name to find)."""
    for root in requirements.cgroups():
        for group in root.glob(pattern):
            if (group / "cgroup.kill").exists():
                (group / "cgroup.kill").write_text("1")
            inside = sorted((path for path in group.rglob("*") if path.is_dir()), reverse=True)
            for path in [*inside, group]:
                processes.wait(partial(_rmdir, path), 20, f"control group {path} cannot be removed")


def _rmdir(path: Path) -> bool:
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
