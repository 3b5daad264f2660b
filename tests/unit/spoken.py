"""A checkout whose deploys do little, on this machine or on made-up hosts, and pyinfra's command line run in it."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.unit import programs
from tests.unit.checkout import checkout

STEPS = '''\
from pathlib import Path

from pyinfra import host
from pyinfra.api import OperationError, QuoteString, StringCommand, operation

from operations import foresight
from pyinfra_adapter import told


@operation()
def put(path, text, says=(), seconds=0, restarts=()):
    """Have TEXT in a file."""
    if Path(path).exists() and Path(path).read_text() == text:
        host.noop("as wanted")
        return
    for line in says:
        host.log(line)
    told.restarts(*restarts)
    code = f'sleep {seconds}; printf %s "$1" > "$2"'
    yield StringCommand("sh -c", QuoteString(code), "sh", QuoteString(text), QuoteString(path))


@operation()
def fail(says):
    """Say something and fail."""
    yield StringCommand("sh -c", QuoteString(f"echo first; echo {says!r} >&2; exit 3"))


@operation()
def refuse(says):
    """Raise while commands are run."""
    if foresight.preparing():
        yield StringCommand("true")
        return
    raise OperationError(says)


@operation()
def check(says):
    """Never a change."""
    if not foresight.preparing():
        told.answers(says)
    yield from ()
'''
HEAD = "from pyinfra import config, host\nimport steps\nconfig.SUDO = False\n"


def made(folder: Path, deploy: str) -> Path:
    """Make the checkout, whose ``work.py`` is DEPLOY."""
    checkout(folder)
    (folder / "steps.py").write_text(STEPS)
    (folder / "work.py").write_text(HEAD + deploy)
    return folder


def environment(**variables: str) -> dict[str, str]:
    """Return what pyinfra is run with: no other modules, no waiting of made-up hosts."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYINFRA_PROGRESS")}
    return {**kept, "PYINFRA_FAKE_DELAY": "0", "PYINFRA_FAKE_DELAY_JITTER": "0", **variables}


def pyinfra(folder: Path, *options: str, hosts: str = "@local", **variables: str) -> subprocess.CompletedProcess[str]:
    """Run pyinfra without a terminal."""
    arguments = ["-m", "pyinfra", hosts, "work.py", *options]
    return programs.run(arguments, cwd=folder, env=environment(**variables))


class Terminal:
    """pyinfra at a terminal of its own."""

    def __init__(
        self, folder: Path, *options: str, hosts: str = "@local", module: str = "pyinfra",
        arguments: Sequence[str] = (), env: Mapping[str, str] | None = None,
    ) -> None:  # fmt: skip
        self._terminal, inner = pty.openpty()
        self.child = programs.start(
            ["-m", module, *(arguments or (hosts, "work.py")), *options], cwd=folder,
            env=env or environment(TERM="xterm"), stdin=inner, stdout=inner, stderr=inner, terminal=True,
        )  # fmt: skip
        os.close(inner)
        self.said = ""

    def until(self, text: str, seconds: float = 60) -> None:
        """Read until TEXT was said."""
        end = time.monotonic() + seconds
        while text not in self.said:
            assert time.monotonic() < end and self._read(), f"{text!r} did not come:\n{self.said}"

    def type(self, text: str) -> None:
        """Type TEXT; ``\\x03`` is Ctrl-C."""
        os.write(self._terminal, text.encode())

    def end(self) -> int:
        """Read to the end; return the exit status."""
        while self._read():
            pass
        os.close(self._terminal)
        return self.child.wait(60)

    def _read(self) -> bool:
        if not select.select([self._terminal], [], [], 60)[0]:
            self.child.send_signal(signal.SIGKILL)
            return False
        try:
            found = os.read(self._terminal, 4096).decode()
        except OSError:  # the other end was closed
            return False
        self.said += found
        return bool(found)


def screen(said: str) -> list[str]:
    """Return the lines that a terminal shows in the end of what was SAID to it."""
    lines = [""]
    column = 0
    position = 0
    while position < len(said):
        if said.startswith("\x1b[", position):
            end = position + 2
            while not said[end].isalpha():
                end += 1
            if said[end] == "K":
                lines[-1] = lines[-1][:column]
            position = end + 1
            continue
        match said[position]:
            case "\n":
                lines.append("")
            case "\r":
                column = 0
            case character:
                lines[-1] = f"{lines[-1][:column]}{character}{lines[-1][column + 1 :]}"
                column += 1
        position += 1
    return [line.rstrip() for line in lines]
