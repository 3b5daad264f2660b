"""Note which database CKAN has, so that another one at the same address is noticed."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import OperationError, StringCommand, operation

from facts.ckan_identity import Identity
from operations import foresight, stamps
from operations.files import script

RECORD = f"{stamps.FOLDER}/database"
_EMPTY = f"{stamps.FOLDER}/empty"  # never a file: only what is noted beforehand


@operation()
def recorded(path: str, ini: str, location: str) -> Generator[StringCommand, None, None]:
    """Note which database CKAN has: its cluster's system identifier, its number there, its oldest user's.

    + path: of CKAN's virtual environment
    + ini: path of ckan.ini
    + location: host, port and name of the database

    It is the last that is done to the database: until then another one there is told from the noted one. Raises
    ``OperationError`` in execution when the database does not answer.
    """
    state = host.get_fact(Identity, path=path, ini=ini, record=RECORD)
    known, found = state.recorded, state.present
    if found is None and not foresight.preparing():
        raise OperationError(f"CKAN's database at {location} does not answer {host.name}")
    another = foresight.replaced(RECORD) or state.another
    if known and known.location == location and not another:
        host.noop("it is the database of the last run")
        return
    foresight.will_touch(RECORD)
    words = (location, found.system, found.database, found.content) if found else ()
    yield script(stamps.NOTE, RECORD, " ".join(map(str, words)))


def will_be_another(empty: bool) -> None:
    """Note, in preflight, that CKAN's database is another one than that of the last run.

    + empty: without that one's data
    """
    foresight.will_touch(RECORD, *([_EMPTY] if empty else []))


def becomes_empty() -> bool:
    """Whether it is known beforehand that CKAN's database will have to be filled; False during execution."""
    return foresight.replaced(_EMPTY)


def becomes_another(path: str, ini: str) -> bool:
    """Whether the database at CKAN's address is another one than that of the last run.

    + path, ini: as for ``recorded``

    During preparation this is what preflight has noted: CKAN may not be able to ask yet.
    """
    if foresight.preparing():
        return foresight.replaced(RECORD)
    return host.get_fact(Identity, path=path, ini=ini, record=RECORD).another
