"""One lab host: create, start, stop, remove. With inside.py this is the lab's Python interface."""

import os
import signal
import time
from pathlib import Path

from lab import (
    base,
    cleanup,
    inside,
    layers,
    mirror,
    network,
    paths,
    prepare,
    processes,
    sources,
    state,
    system,
)
from lab.errors import LabError


def create(name: str, *, release: str | None = None, snapshot: str | None = None, memory: int = 0) -> None:
    """Create a host that is stopped; no-op when it exists. Addresses are given in the order of the calls.

    `release` defaults to noble or bookworm (`sources.default_release`); a snapshot brings its own.
    `memory` is a limit in bytes (0: none). Raises LabError.
    """
    with state.host_lock(name):
        if state.find(name) is None:
            _create(name, release or sources.default_release(), snapshot, memory)
        elif snapshot and processes.supervisor(paths.host(name)) is None:
            raise LabError(f"{name} exists already: python -m lab down {name}")


def up(name: str, *, release: str | None = None, snapshot: str | None = None, memory: int = 0) -> state.Host:
    """Create a host, or take the one of that name, start it and wait until it is up and sshd lets us in.

    The arguments are those of `create`. Raises LabError.
    """
    create(name, release=release, snapshot=snapshot, memory=memory)
    start(name)
    return state.host(name)


def start(name: str) -> None:
    """Start a host unless it runs; returns when it is up. Raises LabError."""
    with state.host_lock(name):
        record = state.get(name)
        if processes.supervisor(record.folder):
            print(f"{name} is running already at {record.address}", flush=True)
        _start(record)


def kill(name: str) -> None:
    """Cut the power: everything in the host ends at once."""
    with state.host_lock(name):
        cleanup.stop(state.get(name))


def poweroff(name: str, seconds: float = 100) -> None:
    """Shut the host down cleanly; raises LabError when it has not gone down in time."""
    with state.host_lock(name):
        shut_down(state.get(name), seconds)


def reboot(name: str) -> None:
    """Reboot the host from within and wait until it is up again."""
    record = state.get(name)
    old = inside.leader(record)
    os.kill(old, signal.SIGRTMIN + 5)  # systemd's signal for a clean reboot
    processes.wait(lambda: processes.leader(record.folder) not in (None, old), 100, f"{name} did not go down to reboot")
    inside.wait_until_up(record)


def cut(name: str) -> None:
    """Pull the host's network cable; the host and what runs in it go on."""
    system.run(["ip", "link", "set", network.link(state.get(name).address), "down"])


def mend(name: str) -> None:
    """Put the network cable back."""
    system.run(["ip", "link", "set", network.link(state.get(name).address), "up"])


def down(name: str) -> bool:
    """Remove a host and all it left on the controller; False when there was nothing."""
    with state.host_lock(state.check_name(name)):
        there = paths.host(name).exists()
        cleanup.remove_host(name)
    return there


def shut_down(record: state.Record, seconds: float = 100) -> None:
    """Shut down cleanly (no-op when stopped). Needs the host's lock."""
    leader = processes.leader(record.folder)
    if leader is not None:
        os.kill(leader, signal.SIGRTMIN + 4)  # systemd's signal for a clean power-off
        processes.wait(
            lambda: processes.supervisor(record.folder) is None,
            seconds,
            f"{record.name} did not shut down in {seconds:.0f} seconds",
        )
    cleanup.stop(record)


def _create(name: str, release: str, snapshot: str | None, memory: int) -> None:
    root = None if snapshot else base.ensure(release)
    with state.lock():
        origin = layers.load(snapshot) if snapshot else None
        wanted = (origin.address or None) if origin else None  # the files may name the origin's address
        network.ensure(wanted)
        stack = origin.layers if origin else (str(root),)
        address = network.free_address({r.address for r in state.records()}, wanted)
        if not state.ssh_key().exists():
            _new_key(state.ssh_key(), "ckan-deploy lab")
        folder = paths.host(name)
        folder.mkdir(mode=0o700, exist_ok=True)
        if origin:
            public = layers.find(stack, f"{prepare.HOST_KEY}.pub").read_text()
        else:
            _new_key(folder / "host_key", name)
            public = (folder / "host_key.pub").read_text()
        base.use(Path(stack[-1]), folder)
        key = " ".join(public.split()[:2])
        record = state.Record(name, origin.release if origin else release, address, stack, key, memory)
        state.save(record)  # from here on this is a host
    source = f"snapshot {snapshot}" if snapshot else release
    print(f"{name}: new host at {address} from {source}", flush=True)


def _new_key(path: Path, comment: str) -> None:
    temporary = path.with_name(f"{path.name}.new")
    for file in (temporary, temporary.with_name(f"{temporary.name}.pub")):
        file.unlink(missing_ok=True)
    system.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", temporary])
    temporary.with_name(f"{temporary.name}.pub").rename(path.with_name(f"{path.name}.pub"))
    temporary.rename(path)  # the private key last: where it is, the pair is whole


def _start(record: state.Record) -> None:
    began = time.monotonic()
    with state.lock():
        net = network.ensure()
        mirror.ensure(net)
        state.publish()
    if processes.supervisor(record.folder) is None:
        layers.recover(record)
        cleanup.stop(record)  # what an earlier life left: a link, control groups
        prepare.debs_in(record)
        _spawn(record)
    inside.wait_until_up(record)
    print(f"{record.name}: up at {record.address} ({time.monotonic() - began:.1f} s)", flush=True)


def _spawn(record: state.Record) -> None:
    system.daemon("lab.supervise", [str(record.folder)], inside.log(record))
