"""Puts Solr's tarball together: jars by Maven, the class that starts them, a reproducible archive."""

import fcntl
import gzip
import hashlib
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

from lab import paths
from lab.errors import LabError

SOLR_VERSION = "9.10.1"
RECIPE = Path(__file__).parent / "solr"
JAVA_RELEASE = 11  # the oldest that Solr 9 runs on
MTIME = 1_735_689_600  # of every file in the tarball: 2025-01-01T00:00:00Z
MAVEN_SECONDS = 1800
VERSION_FORM = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")


class MirrorError(LabError):
    """The tarball could not be made; the message says why and what to do."""


def download_jars(version: str, work: Path) -> list[Path]:
    """Let Maven, with this machine's own configuration, put the jars into `work/jars`; sorted by name."""
    if not VERSION_FORM.fullmatch(version):
        raise MirrorError(f"{version!r} is no Solr version, such as {SOLR_VERSION}")
    repository = paths.cache() / "maven"
    repository.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(RECIPE / "pom.xml", work / "pom.xml")
    jars = work / "jars"
    # Maven 3 does not share its repository between processes.
    with locked(repository.with_name("maven.lock")):
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


def start_jar(jars: list[Path], work: Path) -> bytes:
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


def write_tarball(path: Path, root: str, members: Mapping[str, bytes | Path]) -> None:
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


def digest(path: Path, algorithm: str) -> str:
    """Hexadecimal digest of a file."""
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
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file that stays."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
