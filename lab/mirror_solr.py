"""Solr for the lab: a tarball like Apache's, put together from Maven Central's artefacts.

Solr's own tarball is on no package registry, its jars are. `ensure_solr` downloads them with Maven, compares
each with `lab/solr/jars.json`, adds a start script and the class that serves them (both in `lab/solr/`), and
leaves

    MIRROR/solr/VERSION/solr-VERSION.tgz
    MIRROR/solr/VERSION/solr-VERSION.tgz.sha512

with the names and the form of Apache's. What the start script covers of the real one is in
`lab/solr/covered.json`.

    python -m lab.mirror_solr MIRROR          # build, if it is not there
    python -m lab.mirror_solr --write-lock    # renew lab/solr/jars.json after a change of lab/solr/pom.xml
"""

import argparse
import hashlib
import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.solr_build import RECIPE, SOLR_VERSION, MirrorError, digest, download_jars, locked, start_jar, write_tarball

LOCK = RECIPE / "jars.json"

# Where files of lab/solr/ go in the tarball; pom.xml, jars.json and SolrServer.java only serve to build it.
PLACES = {
    "bin/solr": "bin/solr",
    "LICENSE.txt": "LICENSE.txt",
    "covered.json": "covered.json",
    "log4j2.xml": "server/resources/log4j2.xml",
    "log4j2-console.xml": "server/resources/log4j2-console.xml",
}


@dataclass(frozen=True)
class Lock:
    """The jars of one Solr version: file name to sha256."""

    solr: str
    jars: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> "Lock":
        """Read the lock file.

        Raises MirrorError when it is missing or has another form.
        """
        try:
            content = json.loads(path.read_text())
            return cls(solr=str(content["solr"]), jars={str(k): str(v) for k, v in content["jars"].items()})
        except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
            raise MirrorError(f"{path}: not a lock of jars ({error!r}); write it: {_relock_command()}") from error

    def text(self) -> str:
        """Give the content of the lock file."""
        return json.dumps({"solr": self.solr, "jars": dict(sorted(self.jars.items()))}, indent=2) + "\n"

    def check(self, found: Mapping[str, str]) -> None:
        """Compare downloaded jars with the lock.

        Raises MirrorError that names each missing, unexpected and different jar.
        """
        wrong = [f"missing: {name}" for name in sorted(self.jars.keys() - found.keys())]
        wrong += [f"not in the lock: {name}" for name in sorted(found.keys() - self.jars.keys())]
        wrong += [
            f"different: {name} has sha256 {found[name]}, the lock says {self.jars[name]}"
            for name in sorted(self.jars.keys() & found.keys())
            if found[name] != self.jars[name]
        ]
        if wrong:
            raise MirrorError(f"the jars are not those of {LOCK}:\n  " + "\n  ".join(wrong))


def ensure_solr(version: str, mirror: Path) -> None:
    """Make `mirror/solr/<version>/solr-<version>.tgz` and its `.sha512`.

    Does nothing when both are there, whole and of this recipe. Builds in a folder beside and renames it, so
    that no reader sees half of it; builders wait for each other.

    Raises MirrorError when the version is not the locked one, when Maven or a JDK is missing, when Maven or
    the compiler fails, or when a jar is not the locked one; OSError when the mirror or the cache cannot be
    written.
    """
    lock = Lock.read(LOCK)
    if version != lock.solr:
        raise MirrorError(f"{LOCK} is for Solr {lock.solr}, not {version}; renew it: {_relock_command(version)}")
    shelf = mirror / "solr"
    shelf.mkdir(parents=True, exist_ok=True)
    target = shelf / version
    recipe = _recipe_hash(version)
    with locked(shelf / ".lock"):
        if _is_whole(target, version, recipe):
            return
        for leftover in shelf.glob(".building-*"):  # of builders that were killed: we hold the lock
            shutil.rmtree(leftover)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=shelf) as name:
            work = Path(name)
            work.chmod(0o755)
            _build(version, lock, recipe, work)
            _publish(work / version, target, work / "replaced")


def write_lock(version: str) -> None:
    """Write the lock file from what Maven resolves now.

    Raises MirrorError when Maven is missing or fails.
    """
    with tempfile.TemporaryDirectory() as name:
        jars = download_jars(version, Path(name))
        LOCK.write_text(Lock(solr=version, jars={jar.name: digest(jar, "sha256") for jar in jars}).text())


def _build(version: str, lock: Lock, recipe: str, work: Path) -> None:
    jars = download_jars(version, work)
    lock.check({jar.name: digest(jar, "sha256") for jar in jars})
    members: dict[str, bytes | Path] = {f"server/lib/{jar.name}": jar for jar in jars}
    members["server/start.jar"] = start_jar(jars, work)
    for source, place in PLACES.items():
        members[place] = RECIPE / source
    finished = work / version
    finished.mkdir()
    tarball = finished / f"solr-{version}.tgz"
    write_tarball(tarball, f"solr-{version}", members)
    _checksum_file(tarball).write_text(f"{digest(tarball, 'sha512')}  {tarball.name}\n")
    (finished / "recipe").write_text(recipe + "\n")
    if not _is_whole(finished, version, recipe):
        raise MirrorError(f"{finished} is not whole right after it was written; is the disk full?")


def _publish(finished: Path, target: Path, replaced: Path) -> None:
    """Put the finished folder in place; between the two renames there is none, never a half one."""
    if target.exists():
        target.rename(replaced)
    finished.rename(target)


def _is_whole(folder: Path, version: str, recipe: str) -> bool:
    tarball = folder / f"solr-{version}.tgz"
    try:
        if (folder / "recipe").read_text() != recipe + "\n":
            return False
        return _checksum_file(tarball).read_text() == f"{digest(tarball, 'sha512')}  {tarball.name}\n"
    except FileNotFoundError:
        return False


def _checksum_file(tarball: Path) -> Path:
    return tarball.with_name(tarball.name + ".sha512")


def _recipe_hash(version: str) -> str:
    """Hash of everything that decides what is in the tarball."""
    total = hashlib.sha256(version.encode())
    for path in sorted([*RECIPE.rglob("*"), Path(__file__), Path(__file__).with_name("solr_build.py")]):
        if path.is_file():
            total.update(f"\0{path.relative_to(RECIPE.parent)}\0{digest(path, 'sha256')}".encode())
    return total.hexdigest()


def _relock_command(version: str = SOLR_VERSION) -> str:
    return f"python -m lab.mirror_solr --write-lock --version {version}"


def main(arguments: list[str]) -> int:
    """Command line; see the module's text."""
    parser = argparse.ArgumentParser(prog="python -m lab.mirror_solr", description="Solr's tarball for the lab.")
    parser.add_argument("mirror", nargs="?", type=Path, help="folder to build in")
    parser.add_argument("--version", default=SOLR_VERSION, help=f"default {SOLR_VERSION}")
    parser.add_argument("--write-lock", action="store_true", help="renew lab/solr/jars.json from Maven Central")
    options = parser.parse_args(arguments)
    if options.mirror is None and not options.write_lock:
        parser.error("give the mirror's folder, or --write-lock")
    try:
        if options.write_lock:
            write_lock(options.version)
        if options.mirror is not None:
            ensure_solr(options.version, options.mirror.resolve())
    except MirrorError as error:
        print(f"mirror_solr: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
