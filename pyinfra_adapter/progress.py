"""One line at the bottom of a terminal that says how far a run is, and is gone when anything else is printed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent

_PAUSE = 0.25  # seconds between two looks
_CLEAR = "\033[K"


class Progress:
    """Shows what TEXT returns, as often as it changes, where standard error is a terminal; "" shows nothing.

    The line is written with its own removal after it, not flushed: whatever is printed next removes it first.
    """

    def __init__(self, text: Callable[[], str]) -> None:
        self._text = text
        self._shown = ""
        self._painter: Any = None

    def start(self) -> None:
        """Show the line from now on, beside whatever else this process does."""
        if self._painter is None and _wanted():
            self._painter = gevent.spawn(self._paint)

    def stop(self) -> None:
        """Show it no more."""
        if self._painter is not None:
            self._painter.kill()
            self._painter = None
        self.clear()

    def clear(self) -> None:
        """Remove the line, before something else is printed; it comes again."""
        if self._shown:
            self._shown = ""
            with suppress(OSError, ValueError):
                sys.stderr.flush()

    def _paint(self) -> None:
        while True:
            text = self._text()[: _width() - 1]
            if text != self._shown:
                with suppress(OSError, ValueError):  # nobody looks any more
                    if text:
                        sys.stderr.write(f"{text}\r")
                    sys.stderr.flush()
                    if text:
                        sys.stderr.write(_CLEAR)
                self._shown = text
            gevent.sleep(_PAUSE)


def _wanted() -> bool:
    try:
        return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:
        return False


def _width() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
