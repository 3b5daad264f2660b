"""Snapshots on disk: a read-only layer and the chain of layers below it."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from lab import paths, state
from lab.errors import LabError


@dataclass(frozen=True)
class Snapshot:
    """A stopped host's files: `layers` topmost first, and who it was (`origin`, `address`)."""

    name: str
    release: str
    origin: str
    address: str
    layers: tuple[str, ...]


def _read(folder: Path) -> Snapshot:
    data = json.loads((folder / "snapshot.json").read_text())
    return Snapshot(
        str(data["name"]),
        str(data["release"]),
        str(data["origin"]),
        str(data["address"]),
        tuple(map(str, data["layers"])),
    )


def all_snapshots() -> list[Snapshot]:
    """All snapshots, by name."""
    return [_read(file.parent) for file in sorted((paths.state() / "snapshots").glob("[a-z]*/snapshot.json"))]


def load(name: str) -> Snapshot:
    """One snapshot; raises LabError when there is none of that name or a layer of it is gone."""
    folder = paths.snapshot(state.check_name(name, "snapshot"))
    if not (folder / "snapshot.json").is_file():
        known = ", ".join(s.name for s in all_snapshots()) or "there is none"
        raise LabError(
            f"there is no snapshot {name}: known are {known}"
            if known != "there is none"
            else f"there is no snapshot {name}, nor any other"
        )
    snapshot = _read(folder)
    for layer in snapshot.layers:
        if not Path(layer).is_dir():
            raise LabError(f"snapshot {name} stands on {layer}, which is gone: python -m lab snapshot --delete {name}")
    return snapshot


def pending(name: str) -> Path:
    """Where a snapshot is put together before it gets its name."""
    return paths.snapshot(f".new-{name}")


def save(snapshot: Snapshot, folder: Path) -> None:
    """Write a snapshot's description."""
    (folder / "snapshot.json").write_text(json.dumps(asdict(snapshot), indent=1) + "\n")


def recover(record: state.Record) -> None:
    """Give a host its upper layer back when the lab was killed between the steps of a snapshot."""
    upper = record.folder / "upper"
    for folder in (paths.state() / "snapshots").glob(".new-*"):
        if (folder / "snapshot.json").is_file() and _read(folder).origin == record.name:
            if str(paths.snapshot(folder.name.removeprefix(".new-")) / "layer") in record.layers:
                folder.rename(paths.snapshot(folder.name.removeprefix(".new-")))
            elif (folder / "layer").is_dir() and not upper.exists():
                (folder / "layer").rename(upper)


def find(stack: tuple[str, ...], path: str) -> Path:
    """A file in the topmost layer that has it; raises LabError when none has."""
    for layer in stack:
        if (Path(layer) / path).is_file():
            return Path(layer) / path
    raise LabError(f"no layer has {path}")
