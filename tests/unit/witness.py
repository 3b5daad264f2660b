"""Notes what others can see of a command: each program that it and its children start, its arguments and environment.

``programs_of`` runs a command so. As in ``lab/trace.py`` the kernel lets each start wait until it is noted: none
is missed, however short it lives. Run as a program: ``witness.py FILE COMMAND…``; FILE gets a line of JSON for each.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import select
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent.parent
_NO_NEW_PRIVILEGES = 38  # prctl's number; so that this needs no root


class Started(NamedTuple):
    """A program, as all users of the machine can see it."""

    words: list[str]
    environment: list[str]

    @property
    def shown(self) -> str:
        return "\0".join(self.words + self.environment)


def programs_of(
    command: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], text: str
) -> tuple[subprocess.CompletedProcess[str], list[Started]]:
    """Run COMMAND with TEXT on its standard input; return how it ended, and all programs that it was and started."""
    with tempfile.NamedTemporaryFile("r") as notes:
        done = subprocess.run(
            [sys.executable, __file__, notes.name, *command], cwd=cwd, env=env, input=text, capture_output=True,
            text=True, timeout=300, check=False,
        )  # fmt: skip
        return done, [Started(*json.loads(line)) for line in notes]


def main(file: Path, command: list[str]) -> int:
    """Run the command and note until all that it started has ended; return its exit status."""
    sys.path.insert(0, str(ROOT))
    from lab import trace

    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        ctypes.CDLL(None).prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        socket.send_fds(theirs, [b"listener"], [trace._filter()])
        theirs.close()
        try:
            os.execvp(command[0], command)  # waits for the parent, like every start from here on
        finally:
            os._exit(127)
    theirs.close()
    listener = socket.recv_fds(ours, 16, 1)[1][0]
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    with file.open("a", buffering=1) as notes:
        while not poll.poll()[0][1] & select.POLLHUP:  # nobody is left
            buffer = bytearray(trace._NOTIFICATION.size)
            fcntl.ioctl(listener, trace._RECEIVE, buffer)
            identity, pid, _, number, _, _, *arguments = trace._NOTIFICATION.unpack(buffer)
            words, environment = arguments[2:4] if number == trace._EXECVEAT else arguments[1:3]
            notes.write(json.dumps([trace._strings(pid, words), trace._strings(pid, environment)]) + "\n")
            fcntl.ioctl(listener, trace._SEND, trace._ANSWER.pack(identity, 0, 0, trace._CONTINUE))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
