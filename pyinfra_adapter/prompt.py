"""What a person types at the terminal, while this process goes on with what else it has to do."""

from __future__ import annotations

import sys

import gevent.select


def typed() -> str:
    """Return the line that is typed; connections are kept alive meanwhile. Empty: nobody is there any more."""
    if sys.stdin.isatty():
        gevent.select.select([sys.stdin], [], [])
    return sys.stdin.readline()
