"""Programs of this project as tests start them: real ones, but their Python has imported its libraries already.

``run`` and ``start`` are like ``subprocess.run`` and ``subprocess.Popen`` of ``python -m NAME …`` or ``python -c CODE
…``. The program is a process of its own, forked by ``forkserver.py``, of which each test process has one. Two things
differ from an executed one: /proc shows the command line and the environment of the server, and its parent is the
server. Tests that look there use ``subprocess``.

An environment that only the start of a Python reads, such as another language, gets an executed program.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import IO

from tests.unit import forkserver
from tests.unit.forkserver import PACKETS, READ_HERE, Request

SECONDS = 300
READ_AT_START = ("PYTHON", "LC_", "LANG", "LD_", "MALLOC_", "TZ", "GEVENT_")


class Program:
    """A program that was started; its standard streams are the caller's business."""

    def __init__(self, reports: IO[str]) -> None:
        self._reports = reports
        self.returncode: int | None = None
        self.pid = self._next("pid", None)

    def _next(self, word: str, seconds: float | None) -> int:
        if seconds is not None and not _readable(self._reports, seconds):
            raise subprocess.TimeoutExpired(f"process {self.pid}", seconds)
        found, _, number = self._reports.readline().partition(" ")
        if found != word:
            raise RuntimeError("the fork server ended; what it said is in the output of the first test that used it")
        return int(number)

    def wait(self, timeout: float | None = SECONDS) -> int:
        """Return the exit status, or the signal as a negative number."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(self._next("status", timeout))
            self._reports.close()
        return self.returncode

    def poll(self) -> int | None:
        """Return what ``wait`` does when the program has ended."""
        if self.returncode is None and _readable(self._reports, 0):
            self.wait()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Send a signal, unless the program has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def start(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: int, stdout: int, stderr: int,
    terminal: bool = False,
) -> Program:  # fmt: skip
    """Start ``python ARGUMENTS`` in the folder CWD with the environment ENV on the descriptors STDIN, STDOUT, STDERR.

    + terminal: of a session of its own, whose terminal its standard input is
    """
    if foreign := sorted(_of_the_start(env) ^ _of_the_start(os.environ)):
        raise ValueError(f"only an executed Python reads {foreign}")
    request = Request(list(arguments), str(cwd), dict(env), terminal)
    here, there = os.pipe()
    try:
        socket.send_fds(_server(), [json.dumps(asdict(request)).encode()], [stdin, stdout, stderr, there])
    finally:
        os.close(there)
    return Program(os.fdopen(here, encoding="ascii"))


def run(
    arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str] | None = None, text: str | None = None,
    timeout: float = SECONDS,
) -> subprocess.CompletedProcess[str]:  # fmt: skip
    """Run ``python ARGUMENTS`` to its end, with TEXT or nothing on its standard input, and return what it printed."""
    env = os.environ if env is None else env
    if _of_the_start(env) != _of_the_start(os.environ):
        return subprocess.run(
            [sys.executable, *arguments], cwd=cwd, env=env, input=text or "", capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip
    stdin, typed = os.pipe() if text is not None else (os.open(os.devnull, os.O_RDONLY), None)
    (said, stdout), (complained, stderr) = os.pipe(), os.pipe()
    try:
        child = start(arguments, cwd=cwd, env=env, stdin=stdin, stdout=stdout, stderr=stderr)
    finally:
        for descriptor in (stdin, stdout, stderr):
            os.close(descriptor)
    with ThreadPoolExecutor(3) as pool:
        if typed is not None:
            pool.submit(_write, typed, text or "")
        out, err = pool.submit(_read, said), pool.submit(_read, complained)
        try:
            status = child.wait(timeout)
        except BaseException:
            child.send_signal(signal.SIGKILL)
            raise
        return subprocess.CompletedProcess([sys.executable, *arguments], status, out.result(), err.result())


def _write(descriptor: int, text: str) -> None:
    with suppress(BrokenPipeError), os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _read(descriptor: int) -> str:
    with os.fdopen(descriptor, encoding="utf-8") as file:
        return file.read()


def _readable(reports: IO[str], seconds: float) -> bool:
    return bool(select.select([reports], [], [], seconds)[0])


def _of_the_start(environment: Mapping[str, str]) -> set[tuple[str, str]]:
    return {one for one in environment.items() if one[0].startswith(READ_AT_START) and one[0] not in READ_HERE}


@cache
def _server() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, PACKETS)
    command = [sys.executable, forkserver.__file__, str(theirs.fileno())]
    kept = {name: value for name, value in os.environ.items() if name == "PATH" or name.startswith(READ_AT_START)}
    server = subprocess.Popen(command, cwd="/", env=kept, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()])
    theirs.close()
    atexit.register(_end, ours, server)
    return ours


def _end(ours: socket.socket, server: subprocess.Popen[bytes]) -> None:
    ours.close()
    server.wait()
