"""Runs of the deploy that are watched while they go on, and what may happen to them."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lab import host, inside
from tests.lab.harness import deploy, deployments
from tests.lab.harness.portal_host import NAME

FAULTS = ("sigkill", "cut", "reboot", "power-off")
# Seconds that a controller may wait for a host that is back after it had lost its power, or whose cable is cut; by
# itself it would wait for ever. On a busy machine all takes several times as long as on an idle one.
PATIENCE = 300
LOST = f"the connection to {NAME} is lost"
_PAUSING = Path(__file__).with_name("pausing_main.py")
_OPERATION = re.compile(r"Starting operation: (.*?)\s*$")
_RESULT = re.compile(rf"\[{NAME}\] +(Success|No changes|Error.*)")
_STYLE = re.compile(r"\x1b\[[0-9;]*[a-zA-Z]|\r")
_REFUSED = re.compile(r"another run is under way on \S+, nothing was changed: .* end it with `sudo (kill \d+)`")


@dataclass
class Step:
    """An operation that a run began, and how it ended there (empty: it did not, yet)."""

    name: str
    result: str = ""


BEGUN: list[Watched] = []


class Watched:
    """A run of the deploy on the lab host, whose progress is read as it happens.

    It stands still after the operation STILL_AFTER, when one is named: a reader that is late would miss the moment.
    """

    def __init__(self, *options: str, still_after: str = "") -> None:
        self.steps: list[Step] = []
        self.output: list[str] = []
        self._news = threading.Condition()
        program = [sys.executable, str(_PAUSING), still_after] if still_after else deploy.PYINFRA
        self.process = subprocess.Popen(
            [*program, deployments.current().inventory, "deploy.py", "-y", "-v", *options],
            cwd=deploy.ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        BEGUN.append(self)

    def wait_for(self, condition: Callable[[], bool], what: str, seconds: float = 1800) -> None:
        """Wait until CONDITION, which looks at the steps, holds; fail when the run ends before."""
        with self._news:
            self._news.wait_for(lambda: condition() or not self._reader.is_alive() or self._ended, seconds)
            assert condition(), f"the run did not come to {what}:\n{self.tail()}"

    def began(self, operation: str) -> None:
        """Wait until OPERATION is started."""
        self.wait_for(lambda: any(step.name == operation for step in self.steps), f"begin {operation!r}")

    def changed(self, operation: str) -> None:
        """Wait until OPERATION has succeeded in changing something."""
        self.wait_for(lambda: Step(operation, "Success") in self.steps, f"change by {operation!r}")

    def under_way(self) -> str:
        """Name of the operation that was begun last."""
        return self.steps[-1].name

    def kill(self) -> None:
        """End the controller and all its children at once."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.end()

    def goes_on(self) -> None:
        """Let it go on where it stands still."""
        os.killpg(self.process.pid, signal.SIGCONT)

    def end(self, seconds: float = 1800) -> int:
        """Wait until the run has ended; its exit status."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            raise
        self._reader.join(10)
        return status

    def tail(self, lines: int = 25) -> str:
        return "\n".join(self.output[-lines:])

    _ended = False

    def _read(self) -> None:
        assert self.process.stderr
        for raw in self.process.stderr:
            line = _STYLE.sub("", raw).rstrip("\n")
            with self._news:
                self.output.append(line)
                if found := _OPERATION.search(line):
                    self.steps.append(Step(found[1]))
                elif (found := _RESULT.search(line)) and self.steps:
                    self.steps[-1].result = found[1]
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()


def end_all() -> None:
    """End the runs that a test which failed has left."""
    while BEGUN:
        BEGUN.pop().kill()


def strike(run: Watched, fault: str) -> None:
    """Let FAULT happen to RUN; afterwards the run has ended, and the host is up."""
    print(f"    {fault} at {run.under_way()!r} ({run.steps[-1].result or 'under way'})", flush=True)
    match fault:
        case "sigkill":
            run.kill()
        case "cut":  # for longer than the controller waits: it must notice by itself
            host.cut(NAME)
            try:
                run.goes_on()
                assert run.end(PATIENCE) == 1, run.tail()
            finally:
                host.mend(NAME)
            assert any(LOST in line for line in run.output), run.tail()
        case "reboot":
            host.reboot(NAME)
            assert run.end(PATIENCE) == 1, run.tail()
        case "power-off":
            host.kill(NAME)
            host.start(NAME)
            assert run.end(PATIENCE) == 1, run.tail()
        case _:
            raise AssertionError(fault)


def begin(*options: str, after: str = "sigkill", still_after: str = "") -> Watched:
    """Begin the run that follows the fault AFTER; it may stand still after an operation.

    Only when the cable was cut may the host still be held by the dead run; then its sentence says how to take over.
    """
    run = Watched(*options, still_after=still_after)
    run.wait_for(lambda: len(run.steps) > 1 or any(map(_REFUSED.search, run.output)), "its second operation")
    if not (refused := next(filter(None, map(_REFUSED.search, run.output)), None)):
        return run
    assert after == "cut", f"the host is held although {after} ended the run that held it:\n{run.tail()}"
    assert run.end() == 1
    print(f"    took over: {refused[1]}", flush=True)
    inside.run(NAME, refused[1].split())
    return Watched(*options, still_after=still_after)


def running(pattern: str) -> bool:
    """Whether a process whose command line matches PATTERN is on the host."""
    status = inside.run(NAME, ["pgrep", "-f", "--", pattern], check=False).returncode
    assert status in (0, 1), f"pgrep failed with exit status {status}"
    return status == 0


def wait_until_running(pattern: str, run: Watched, operation: str, seconds: float = 600) -> None:
    """Wait until a process matching PATTERN is on the host while RUN is at OPERATION."""
    deadline = time.monotonic() + seconds
    while not running(pattern):
        assert time.monotonic() < deadline and run.steps[-1] == Step(operation), (
            f"no {pattern} ran during {operation!r}:\n{run.tail()}"
        )
        time.sleep(0.05)


# dpkg's locks are of fcntl's kind, which flock(1) does not take.
_HOLD = """
import fcntl, sys, time
kept = [open("/var/lib/dpkg/" + name, "w") for name in ("lock-frontend", "lock")]
for file in kept:
    fcntl.lockf(file, fcntl.LOCK_EX)
time.sleep(float(sys.argv[1]))
"""


def hold_dpkg(seconds: float) -> None:
    """Hold dpkg's locks on the host, as a package manager does that somebody else started."""
    inside.run(NAME, ["systemd-run", "--quiet", "--unit=dpkg-lock", "python3", "-c", _HOLD, str(seconds)])
    while (done := inside.run(NAME, ["apt-get", "-q", "check"], check=False)).returncode == 0:
        time.sleep(0.1)
    assert "Could not get lock" in done.stderr, done


def release_dpkg() -> None:
    """End what ``hold_dpkg`` began."""
    inside.run(NAME, ["systemctl", "stop", "dpkg-lock"])
