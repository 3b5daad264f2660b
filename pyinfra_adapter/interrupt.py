"""Ctrl-C ends a run with exit status 130, as it ends any program; pyinfra would say success."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from types import FrameType
from typing import NoReturn

STATUS = 128 + signal.SIGINT


class Interrupted(SystemExit):
    """Somebody typed Ctrl-C."""

    def __init__(self) -> None:
        super().__init__(STATUS)


def install() -> None:
    """Have Ctrl-C end this process with ``Interrupted`` from now on: its connections are closed on the way."""
    signal.signal(signal.SIGINT, _interrupted)


def _interrupted(number: int, frame: FrameType | None) -> NoReturn:
    with suppress(OSError):
        os.write(2, b"\ninterrupted\n")  # past Python's streams, which may be in the middle of a line
    raise Interrupted
