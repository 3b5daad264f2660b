"""Layers in the cache, for all labs of this machine: what is slow to install, on top of a base system."""

import shutil
import time
from pathlib import Path

from lab import base, host, layers, paths, prepare, state, system
from lab.errors import LabError


def keep(name: str, layer: str) -> None:
    """Shut the host NAME down, keep what it has above its base system as LAYER in the cache, and remove the host.

    An older layer of that name is replaced. Raises LabError when the host stands on more than a base system.
    """
    with state.host_lock(name):
        record = state.get(name)
        if len(record.layers) != 1:
            raise LabError(f"{name} stands on a snapshot; a layer must stand on a base system alone")
        host.shut_down(record)
        prepare.debs_out(record)
        shutil.rmtree(record.folder / "upper" / prepare.ARCHIVES, ignore_errors=True)
        work = _folder(f".new-{layer}")
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        # With all that an overlay notes in attributes; the cache may be on another disk.
        system.run(["cp", "-a", "--reflink=auto", record.folder / "upper", work / "layer"])
        system.write(work / "base", f"{record.release}\n{record.layers[0]}\n")
        shutil.rmtree(_folder(layer), ignore_errors=True)
        work.rename(_folder(layer))
        base.use(Path(record.layers[0]), _folder(layer))
    host.down(name)


def is_there(layer: str) -> bool:
    """Whether the cache has LAYER, and the base system below it."""
    noted = _folder(layer) / "base"
    return noted.is_file() and Path(noted.read_text().splitlines()[1]).is_dir()


def as_snapshot(layer: str, snapshot: str) -> None:
    """Have LAYER be a snapshot of this lab. Raises LabError when the cache has no such layer."""
    if not is_there(layer):
        raise LabError(f"there is no layer {layer} in the cache")
    release, root = (_folder(layer) / "base").read_text().splitlines()
    folder = layers.pending(state.check_name(snapshot, "snapshot"))
    with state.lock():
        folder.mkdir(mode=0o700, exist_ok=True)
        layers.save(layers.Snapshot(snapshot, release, "", "", (str(_folder(layer) / "layer"), root)), folder)
        folder.rename(paths.snapshot(snapshot))
        base.use(Path(root), paths.snapshot(snapshot))


def prune(family: str, keep: str) -> None:
    """Remove layers of a FAMILY, but not KEEP nor one of the last week, on which another lab may stand."""
    for folder in (paths.cache() / "layers").glob(f"{family}-*"):
        if folder.name != keep and time.time() - folder.stat().st_mtime > base.MAX_AGE:
            shutil.rmtree(folder, ignore_errors=True)


def _folder(layer: str) -> Path:
    return paths.cache() / "layers" / layer
