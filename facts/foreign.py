"""Facts about a portal on a host that ckan-deploy never deployed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError
from pyinfra.api import FactBase, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.foreign_script import ASK, FIND
from facts.sent import on_host
from facts.value import Value


@dataclass(frozen=True)
class PortalState(Value):
    """A portal as its ckan.ini has it, and what a run would keep of it.

    ``database``: host, port and name. ``datasets``, ``users``, ``jobs`` (that wait): None where nobody could be asked.
    ``files``: how many are in its folder of uploads. ``options``: names of those that would get other values, or none.
    ``certificates``: SHA-256 of those that nginx shows, by path.
    """

    ini: str
    datasets: int | None
    users: int | None
    jobs: int | None
    database: str
    database_kept: bool
    storage: str
    files: int
    storage_kept: bool
    sessions_kept: bool
    tokens_kept: bool
    queue_kept: bool
    options: tuple[str, ...]
    certificates: dict[str, str]


@dataclass(frozen=True)
class ForeignState(Value):
    """``ours``: ckan-deploy deployed this host before. ``database``: there is one of the wanted name."""

    ours: bool = False
    portal: PortalState | None = None
    database: bool = False


class Foreign(FactBase[ForeignState]):
    """Whether a host is ours, and if not, which portal is on it.

    + marks: absolute paths of which one is there where ckan-deploy has been
    + ini: path of ckan.ini as we write it; what we wrote has our header
    + database: name of the database that the host would get; empty: none
    + port: of its PostgreSQL

    On standard input (``_stdin``): the ckan.ini that the run would write.
    """

    @override
    def command(self, marks: Sequence[str], ini: str, database: str = "", port: int = 5432) -> StringCommand:
        """Build the one command of this fact; where there is no Python yet, there is no portal either."""
        return on_host(FIND, " ".join(marks), ini, database, str(port), ASK, stdin=True)

    @staticmethod
    @override
    def default() -> ForeignState:
        """There is nothing."""
        return ForeignState()

    @override
    def process(self, output: list[str]) -> ForeignState:
        """Parse the JSON line; raises ``FactProcessError`` with the output shown."""
        try:
            answer: Any = json.loads(output[-1])
            return TypeAdapter(ForeignState).validate_python(answer)
        except (IndexError, ValueError, ValidationError):
            raise FactProcessError(f"which portal is there is not understood: {output!r}") from None
