"""Facts about which database CKAN has, whatever its address: the one of the last run, or another one there."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pyinfra.api import FactBase, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.sent import PRIVATE, in_environment_or_host
from facts.value import Value

# Everybody may ask for the cluster's identifier. The oldest user is CKAN's own, whose number is made by chance: it goes
# with the data into a dump, and to another cluster.
_IDENTITY = (
    PRIVATE
    + r"""
import configparser, json, sys
ini, record = sys.argv[1:]
answer = {"recorded": None, "present": None}
try:
    if (note := private(record)) is not None:
        location, system, database, content = note.removesuffix("\n").split(" ")
        noted = {"system": system, "database": int(database), "content": content}
        answer["recorded"] = {"location": location, **noted}
except ValueError:
    pass
try:
    import psycopg2
    parser = configparser.RawConfigParser(strict=False)
    parser.read(ini)
    url = parser.get("app:main", "sqlalchemy.url").replace("%%", "%")
    cursor = psycopg2.connect(url, connect_timeout=10).cursor()
    cursor.execute("select system_identifier::text from pg_control_system()")
    system = cursor.fetchone()[0]
    cursor.execute("select oid::bigint from pg_database where datname = current_database()")
    database, content, kept = cursor.fetchone()[0], "", False
    cursor.execute("select to_regclass('public.user')")
    if cursor.fetchone()[0]:
        cursor.execute('select id from "user" order by created, id limit 1')
        content = (cursor.fetchone() or [""])[0]
        former = (answer["recorded"] or {}).get("content") or content
        cursor.execute('select count(*) from "user" where id = %s', (former,))
        kept = bool(cursor.fetchone()[0])
    answer["present"] = {"system": system, "database": database, "content": content, "kept": kept}
except Exception:
    pass
print(json.dumps(answer))
"""
)


@dataclass(frozen=True)
class RecordedDatabase(Value):
    """What the last run noted: the address, and what was there (see ``PresentDatabase``)."""

    location: str
    system: str
    database: int
    content: str


@dataclass(frozen=True)
class PresentDatabase(Value):
    """What is there: the cluster's system identifier, the database's number in it, its oldest user's.

    ``kept``: it holds the data of the recorded one.
    """

    system: str
    database: int
    content: str
    kept: bool


@dataclass(frozen=True)
class IdentityState(Value):
    """``recorded``: None before a run has noted it; ``present``: None where CKAN's role gets no answer."""

    recorded: RecordedDatabase | None = None
    present: PresentDatabase | None = None

    @property
    def another(self) -> bool:
        """Whether it is known to be another database, be it that all data were moved to it."""
        one, other = self.recorded, self.present
        return one is not None and other is not None and (one.system, one.database) != (other.system, other.database)


class Identity(FactBase[IdentityState]):
    """Which database CKAN has, and which one it had at the end of the last run.

    + path: of CKAN's virtual environment, whose psycopg2 asks
    + ini: path of ckan.ini, which says where and as whom
    + record: path of the last run's note
    """

    @override
    def command(self, path: str, ini: str, record: str) -> StringCommand:
        """Build the one command of this fact; without an environment the host's Python tells the note at least."""
        return in_environment_or_host(path, _IDENTITY, ini, record)

    @staticmethod
    @override
    def default() -> IdentityState:
        """There is neither a note nor a CKAN that could ask."""
        return IdentityState()

    @override
    def process(self, output: list[str]) -> IdentityState:
        """Parse the JSON line; raises ``FactProcessError`` with the output shown."""
        try:
            answer = json.loads(output[-1])
            recorded, present = answer["recorded"], answer["present"]
            return IdentityState(recorded and RecordedDatabase(**recorded), present and PresentDatabase(**present))
        except (KeyError, TypeError, ValueError):
            raise FactProcessError(f"which database CKAN has is not understood: {output!r}") from None
