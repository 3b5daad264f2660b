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
import fcntl
import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from lab import paths
from lab.errors import LabError

SOLR_VERSION = "9.10.1"

RECIPE = Path(__file__).parent / "solr"
LOCK = RECIPE / "jars.json"
JAVA_RELEASE = 11  # the oldest that Solr 9 runs on
MTIME = 1_735_689_600  # of every file in the tarball: 2025-01-01T00:00:00Z
MAVEN_SECONDS = 1800
VERSION_FORM = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")

# Where files of lab/solr/ go in the tarball; pom.xml, jars.json and SolrServer.java only serve to build it.
PLACES = {
    "bin/solr": "bin/solr",
    "LICENSE.txt": "LICENSE.txt",
    "covered.json": "covered.json",
    "log4j2.xml": "server/resources/log4j2.xml",
    "log4j2-console.xml": "server/resources/log4j2-console.xml",
}


class MirrorError(LabError):
    """The tarball could not be made; the message says why and what to do."""


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
    with _locked(shelf / ".lock"):
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
        jars = _download_jars(version, Path(name))
        LOCK.write_text(Lock(solr=version, jars={jar.name: _digest(jar, "sha256") for jar in jars}).text())


def _build(version: str, lock: Lock, recipe: str, work: Path) -> None:
    jars = _download_jars(version, work)
    lock.check({jar.name: _digest(jar, "sha256") for jar in jars})
    members: dict[str, bytes | Path] = {f"server/lib/{jar.name}": jar for jar in jars}
    members["server/start.jar"] = _start_jar(jars, work)
    for source, place in PLACES.items():
        members[place] = RECIPE / source
    finished = work / version
    finished.mkdir()
    tarball = finished / f"solr-{version}.tgz"
    _write_tarball(tarball, f"solr-{version}", members)
    _checksum_file(tarball).write_text(f"{_digest(tarball, 'sha512')}  {tarball.name}\n")
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
        return _checksum_file(tarball).read_text() == f"{_digest(tarball, 'sha512')}  {tarball.name}\n"
    except FileNotFoundError:
        return False


def _checksum_file(tarball: Path) -> Path:
    return tarball.with_name(tarball.name + ".sha512")


def _recipe_hash(version: str) -> str:
    """Hash of everything that decides what is in the tarball."""
    total = hashlib.sha256(version.encode())
    for path in sorted([*RECIPE.rglob("*"), Path(__file__)]):
        if path.is_file():
            total.update(f"\0{path.relative_to(RECIPE.parent)}\0{_digest(path, 'sha256')}".encode())
    return total.hexdigest()


def _download_jars(version: str, work: Path) -> list[Path]:
    """Let Maven, with this machine's own configuration, put the jars into `work/jars`; sorted by name."""
    if not VERSION_FORM.fullmatch(version):
        raise MirrorError(f"{version!r} is no Solr version, such as {SOLR_VERSION}")
    repository = paths.cache() / "maven"
    repository.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(RECIPE / "pom.xml", work / "pom.xml")
    jars = work / "jars"
    # Maven 3 does not share its repository between processes.
    with _locked(repository.with_name("maven.lock")):
        _run(
            [
                _tool("mvn"),
                "--batch-mode",
                "--quiet",
                f"--file={work / 'pom.xml'}",
                f"-Dmaven.repo.local={repository}",
                f"-Dsolr.version={version}",
                "dependency:copy-dependencies",
                "-DincludeScope=runtime",
                f"-DoutputDirectory={jars}",
            ],
            work,
        )
    return sorted(jars.glob("*.jar"))


def _start_jar(jars: list[Path], work: Path) -> bytes:
    """Compile SolrServer.java into a start.jar whose class path is the given jars, in this order."""
    classes = work / "classes"
    classes.mkdir()
    _run(
        [
            _tool("javac"),
            "--release",
            str(JAVA_RELEASE),
            "-g:none",
            "-proc:none",
            "-classpath",
            ":".join(map(str, jars)),
            "-d",
            str(classes),
            str(RECIPE / "SolrServer.java"),
        ],
        work,
    )
    manifest = ["Manifest-Version: 1.0", "Main-Class: SolrServer"]
    manifest.append("Class-Path: " + " ".join(f"lib/{jar.name}" for jar in jars))
    files = {"META-INF/MANIFEST.MF": "".join(map(_manifest_line, manifest)).encode()}
    files |= {path.name: path.read_bytes() for path in sorted(classes.glob("*.class"))}
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as jar:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name)  # of 1980-01-01
            entry.external_attr = 0o644 << 16
            jar.writestr(entry, content)
    return buffer.getvalue()


def _manifest_line(line: str) -> str:
    """Wrap as jar manifests want it: at most 72 bytes a line, continued after a blank."""
    first, rest = line[:70], line[70:]
    return "\r\n ".join([first, *(rest[i : i + 69] for i in range(0, len(rest), 69))]) + "\r\n"


def _write_tarball(path: Path, root: str, members: Mapping[str, bytes | Path]) -> None:
    """Write the same bytes for the same members: sorted, one owner, one time; only bin/ may be executed."""
    folders = {f"{root}/{parent}" for name in members for parent in Path(name).parents if parent != Path()} | {root}
    # Jars do not shrink, so the fastest level. No name and no time in the header.
    with (
        path.open("wb") as file,
        gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=file, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for folder in sorted(folders):
            entry = _entry(folder, 0o755)
            entry.type = tarfile.DIRTYPE
            tar.addfile(entry)
        for name in sorted(members):
            content = members[name]
            data = content if isinstance(content, bytes) else content.read_bytes()
            entry = _entry(f"{root}/{name}", 0o755 if name.startswith("bin/") else 0o644)
            entry.size = len(data)
            tar.addfile(entry, BytesIO(data))


def _entry(name: str, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.mtime = mode, MTIME
    entry.uname = entry.gname = "root"
    return entry


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise MirrorError(f"{name} is not installed: apt-get install maven default-jdk-headless")
    return found


def _run(command: list[str], folder: Path) -> None:
    """Run a build step in a folder.

    Raises MirrorError with the end of its output when it fails or takes too long.
    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=MAVEN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MirrorError(f"{name} did not end within {MAVEN_SECONDS} s") from error
    if done.returncode != 0:
        raise MirrorError(f"{name} failed (exit status {done.returncode}):\n{done.stdout[-4000:]}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file that stays."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


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
