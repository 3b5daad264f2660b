"""Running commands, writing files and holding locks, the same everywhere in the lab."""

import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab import paths
from lab.errors import LabError

TEMPORARY = ".ckan-deploy-lab-"  # how the names of unfinished files begin


def run(
    argv: Sequence[str | Path], *, check: bool = True, text: str | None = None, pass_fds: Sequence[int] = ()
) -> str:
    """Run a command and return its standard output.

    Raises LabError with the last line of its standard error when it fails and `check` is set.
    """
    words = [str(word) for word in argv]
    try:
        done = subprocess.run(
            words,
            input=text if text is not None else "",
            capture_output=True,
            text=True,
            check=False,
            pass_fds=pass_fds,
        )
    except OSError as error:
        raise LabError(f"{words[0]} cannot be run: {error.strerror}") from error
    if check and done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit status {done.returncode}"]
        raise LabError(f"`{' '.join(words)}` failed: {lines[-1]}")
    return done.stdout


def daemon(module: str, arguments: Sequence[str], log: Path) -> None:
    """Run one of the lab's modules, which forks and lives on, writing to `log`; wait for the fork only."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
        "CKAN_DEPLOY_LAB": str(paths.state()),
        "CKAN_DEPLOY_CACHE": str(paths.cache()),
    }
    with log.open("w") as output:
        subprocess.run(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd="/",
            env=environment,
            check=False,
        )


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file by rename: nobody sees half of it, and a symbolic link is replaced, not followed."""
    handle, name = tempfile.mkstemp(prefix=TEMPORARY, dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w") as file:
            file.write(text)
        temporary.chmod(mode)
        temporary.rename(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file, waiting for it; the kernel drops it when the process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def link_new(source: Path, target: Path, pattern: str) -> int:
    """Hard-link the files of `source` that `target` lacks; return how many. Across file systems: none."""
    if not source.is_dir():
        return 0
    target.mkdir(parents=True, exist_ok=True)
    count = 0
    for file in source.glob(pattern):
        try:
            os.link(file, target / file.name, follow_symlinks=False)
            count += 1
        except FileExistsError:
            continue
        except OSError:
            break
    return count
