"""Finding and ending the lab's own processes, and no others."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from lab import paths
from lab.errors import LabError

PROC = Path("/proc")
MODULES = ("lab.supervise", "lab.mirror")
# A session of ssh outlives the lab that began it, and then waits for a host that has gone.
PROGRAMS = ("systemd-nspawn", "ssh")


def arguments(pid: int) -> list[str]:
    """A process's command line; empty when it is gone or a zombie."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")[:-1]
    except OSError:
        return []


def ours() -> dict[int, list[str]]:
    """This lab's long-running processes and its ssh sessions: pid -> command line.

    Known by the program and by an argument that is this lab's state folder or lies below it.
    """
    below = str(paths.state()) + "/"
    found = {}
    for folder in PROC.iterdir():
        if folder.name.isdigit():
            words = arguments(int(folder.name))
            if _program(words) and any((word + "/").startswith(below) for word in words[1:]):
                found[int(folder.name)] = words
    return found


def _program(words: list[str]) -> str:
    """Which of the lab's programs a command line runs; empty for any other."""
    if words and Path(words[0]).name in PROGRAMS:
        return Path(words[0]).name
    return words[2] if len(words) > 2 and words[1] == "-m" and words[2] in MODULES else ""


def _one(program: str, argument: str) -> int | None:
    found = {pid for pid, words in ours().items() if argument in words and _program(words) == program}
    # A child that has not yet become another program looks like its parent.
    return next((pid for pid in found if _parent(pid) not in found), None)


def _parent(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def supervisor(folder: Path) -> int | None:
    """The process that runs the host of this folder."""
    return _one("lab.supervise", str(folder))


def nspawn(folder: Path) -> int | None:
    """The systemd-nspawn of the host of this folder."""
    return _one("systemd-nspawn", str(folder / "merged"))


def mirror() -> int | None:
    """The process that serves the mirror."""
    return _one("lab.mirror", str(paths.state()))


def leader(folder: Path) -> int | None:
    """The host's process 1, seen from the controller; None when it is not running (yet)."""
    parent = nspawn(folder)
    if parent is None:
        return None
    try:
        children = (PROC / str(parent) / "task" / str(parent) / "children").read_text().split()
    except OSError:
        return None
    # While it starts, the child is still systemd-nspawn itself.
    return next(
        (int(pid) for pid in children if (words := arguments(int(pid))) and Path(words[0]).name != "systemd-nspawn"),
        None,
    )


def end(pid: int) -> None:
    """Kill a process that was just found by one of the functions above."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        # The handle cannot move to another process; the number could have, until now.
        if pid in (known := ours()) or _parent(pid) in known:
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        pass
    finally:
        os.close(handle)


def gone(pid: int) -> bool:
    """Whether a process has ended."""
    return not arguments(pid)


def wait(condition: Callable[[], bool], seconds: float, failure: str) -> None:
    """Wait until a condition holds; raise LabError with `failure` when it does not in time."""
    limit = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > limit:
            raise LabError(failure)
        time.sleep(0.05)
