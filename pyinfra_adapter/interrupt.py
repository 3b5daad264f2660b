"""Ctrl-C ends a run at once, with exit status 130, as it ends any program; pyinfra would say success, and wait.

What is under way on a host goes on there; pyinfra would wait for it before it disconnects, since its pool of workers
has one for each host.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import NoReturn

from pyinfra.api import State
from pyinfra_cli import cli

STATUS = 128 + signal.SIGINT
_PATIENCE = 5  # seconds in which workers must have let go

_disconnect_all = cli.disconnect_all
_interrupted = False


class Interrupted(SystemExit):
    """Somebody typed Ctrl-C."""

    def __init__(self) -> None:
        super().__init__(STATUS)


def install() -> None:
    """Have Ctrl-C end this process with ``Interrupted`` from now on: its connections are closed on the way."""
    signal.signal(signal.SIGINT, _interrupt)
    cli.disconnect_all = _disconnect


def _interrupt(number: int, frame: FrameType | None) -> NoReturn:
    global _interrupted
    _interrupted = True
    with suppress(OSError):
        os.write(2, b"\ninterrupted\n")  # past Python's streams, which may be in the middle of a line
    raise Interrupted


def _disconnect(state: State) -> None:
    if _interrupted:
        for pool in (state.pool, state.fact_pool):
            pool.kill(timeout=_PATIENCE)
    _disconnect_all(state)
