"""Keep the order of components across hosts."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation


@operation()
def meet() -> Generator[StringCommand, None, None]:
    """Let no host of this run go on before all of them are here; never a change.

    pyinfra keeps the order of one host's operations, but lets hosts that have different ones go side by side: CKAN
    would look for its database while PostgreSQL's host is still installing. An operation that every host has, the
    same on all, is where they wait for each other.
    """
    host.noop("all hosts are here")
    yield from ()
