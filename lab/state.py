"""What the lab knows of its hosts: one JSON file per host, a key pair, one known_hosts file."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import hostsfile, paths, processes, system
from lab.errors import LabError

NAME = re.compile(r"[a-z]([a-z0-9-]{0,29}[a-z0-9])?")
SSH_USER = "deploy"


@dataclass(frozen=True)
class Host:
    """A lab host as its users see it: where it is and how to log in."""

    name: str
    address: str
    release: str
    ssh_user: str
    ssh_key: Path
    known_hosts: Path
    running: bool


@dataclass(frozen=True)
class Record:
    """A lab host as the lab keeps it.

    `layers` are the read-only folders below the host's own upper layer, topmost first; the last is a base.
    `memory` is a limit in bytes (0: none). `host_key` is the public ssh host key, without a comment.
    """

    name: str
    release: str
    address: str
    layers: tuple[str, ...]
    host_key: str
    memory: int = 0

    @property
    def folder(self) -> Path:
        """Where the host's files are."""
        return paths.host(self.name)


def check_name(name: str, what: str = "host") -> str:
    """Return the name; raise LabError when it is none."""
    if not NAME.fullmatch(name):
        raise LabError(f"{name!r} is no {what} name: use up to 31 of a-z, 0-9 and -, beginning with a letter")
    return name


@contextmanager
def lock() -> Iterator[None]:
    """Hold the lock on what the hosts of this lab share; short work only."""
    create()
    with system.locked(paths.state() / "locks" / "lab"):
        yield


@contextmanager
def host_lock(name: str) -> Iterator[None]:
    """Hold the lock on one host; taken before `lock()`, never after."""
    check_name(name)
    create()
    with system.locked(paths.state() / "locks" / f"host-{name}"):
        yield


def create() -> None:
    """Make the state folder, readable by its owner only."""
    folder = paths.state()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    for name in ("hosts", "snapshots", "locks"):
        (folder / name).mkdir(exist_ok=True)


def records() -> list[Record]:
    """All hosts, by name."""
    return [
        record for folder in sorted((paths.state() / "hosts").glob("*")) if (record := find(folder.name)) is not None
    ]


def find(name: str) -> Record | None:
    """One host, or None."""
    file = paths.host(name) / "host.json"
    if not file.is_file():
        return None
    data = json.loads(file.read_text())
    return Record(
        name=str(data["name"]),
        release=str(data["release"]),
        address=str(data["address"]),
        layers=tuple(map(str, data["layers"])),
        host_key=str(data["host_key"]),
        memory=int(data["memory"]),
    )


def get(name: str) -> Record:
    """One host; raises LabError when there is none of that name."""
    record = find(check_name(name))
    if record is None:
        raise LabError(f"there is no lab host {name}: python -m lab up {name}")
    return record


def save(record: Record) -> None:
    """Write a host's record."""
    record.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    system.write(record.folder / "host.json", json.dumps(asdict(record), indent=1) + "\n", 0o600)


def publish() -> None:
    """Make known_hosts and the controller's /etc/hosts agree with the records. Needs `lock()`."""
    known = records()
    lines = [f"{r.address},{r.name},{r.name}.test {r.host_key}\n" for r in known if r.host_key]
    system.write(known_hosts(), "".join(lines), 0o600)
    hostsfile.sync(f"{r.address} {r.name}.test {r.name}" for r in known)


def known_hosts() -> Path:
    """The file with the ssh host keys of all hosts, by address and by name."""
    return paths.state() / "known_hosts"


def ssh_key() -> Path:
    """The private key that logs in as deploy on every host."""
    return paths.state() / "id_ed25519"


def secrets_path() -> Path:
    """The folder where the product keeps the secrets of lab deployments. The lab only names it."""
    return paths.state() / "secrets"


def hosts() -> list[Host]:
    """All hosts of this lab, by name; empty when there is no lab."""
    return [
        Host(
            name=record.name,
            address=record.address,
            release=record.release,
            ssh_user=SSH_USER,
            ssh_key=ssh_key(),
            known_hosts=known_hosts(),
            running=processes.supervisor(record.folder) is not None,
        )
        for record in records()
    ]


def host(name: str) -> Host:
    """The host of that name; raises LabError when there is none."""
    get(name)
    return next(host for host in hosts() if host.name == name)
