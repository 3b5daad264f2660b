"""Snapshots: keep a host's state, begin new hosts from it, delete it."""

import shutil
from dataclasses import replace
from pathlib import Path

from lab import base, host, layers, paths, prepare, state
from lab.errors import LabError


def take(name: str, snapshot: str, *, restart: bool = True) -> None:
    """Shut a host down, keep its files as a snapshot, and start it again on top of it. Raises LabError."""
    final = paths.snapshot(state.check_name(snapshot, "snapshot"))
    with state.host_lock(name):
        record = state.get(name)
        layers.recover(record)
        if final.exists():
            raise LabError(f"there is a snapshot {snapshot} already: python -m lab snapshot --delete {snapshot}")
        host.shut_down(record)
        prepare.debs_out(record)
        folder = layers.pending(snapshot)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700)
        stack = (str(final / "layer"), *record.layers)
        layers.save(layers.Snapshot(snapshot, record.release, name, record.address, stack), folder)
        # Killed between these steps, the host gets its layer back with its next start (layers.recover).
        (record.folder / "upper").rename(folder / "layer")
        with state.lock():
            state.save(replace(record, layers=stack))
        folder.rename(final)
        base.use(Path(stack[-1]), final)
        print(f"{snapshot}: snapshot of {name}", flush=True)
    if restart:
        host.start(name)


def delete(name: str) -> None:
    """Delete a snapshot; raises LabError while a host or another snapshot stands on it."""
    with state.lock():
        folder = paths.snapshot(state.check_name(name, "snapshot"))
        if not folder.is_dir():
            raise LabError(f"there is no snapshot {name}")
        layer = str(folder / "layer")
        users = [f"host {r.name}" for r in state.records() if layer in r.layers]
        users += [f"snapshot {s.name}" for s in layers.all_snapshots() if layer in s.layers and s.name != name]
        if users:
            raise LabError(f"snapshot {name} is used by {', '.join(users)}")
        folder.rename(folder.with_name(f".old-{name}"))
        shutil.rmtree(folder.with_name(f".old-{name}"))


def delete_all() -> None:
    """Delete every snapshot, also unfinished ones; raises LabError while hosts are there."""
    with state.lock():
        if state.records():
            raise LabError("snapshots are deleted only when no host is left")
        for folder in (paths.state() / "snapshots").iterdir():
            shutil.rmtree(folder)
