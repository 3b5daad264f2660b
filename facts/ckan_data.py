"""Facts about the database that the portal uses now, and about what a database holds; never its password."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.sent import LOCATION, in_environment
from facts.value import Value

# The distribution's Python, not CKAN's: whatever state the environment is in, this must be known.
_LOCATION = (
    LOCATION
    + r"""
import configparser, sys
parser = configparser.RawConfigParser(strict=False)
try:
    parser.read(sys.argv[1])
    print(location(parser.get("app:main", "sqlalchemy.url").replace("%%", "%"), 5432, "/"))
except (configparser.Error, ValueError):
    pass
"""
)
# As whom and with which password: as ckan.ini says, unless a role is given; then its password is on standard input.
_HOLDINGS = r"""
import configparser, json, sys
ini, host, port, name, role, *ours = sys.argv[1:]
answer = {"answers": False, "datasets": 0, "groups": 0, "users": 0, "newest": ""}
try:
    import psycopg2
    if role:
        password = sys.stdin.readline().rstrip("\n")
        where = {"host": host, "port": port, "dbname": name, "user": role, "password": password}
    else:
        parser = configparser.RawConfigParser(strict=False)
        parser.read(ini)
        where = {"dsn": parser.get("app:main", "sqlalchemy.url").replace("%%", "%")}
    try:
        connection = psycopg2.connect(connect_timeout=10, **where)
    except psycopg2.OperationalError as error:
        answer["answers"] = 'database "' in str(error) and "does not exist" in str(error)
        raise
    cursor = connection.cursor()
    def ask(table, query, *arguments):
        cursor.execute("select to_regclass(%s)", ("public." + table,))
        if not cursor.fetchone()[0]:
            return 0
        cursor.execute(query, arguments)
        return cursor.fetchone()[0]
    answer["datasets"] = ask("package", "select count(*) from package")
    answer["groups"] = ask("group", 'select count(*) from "group"')
    answer["users"] = ask("user", 'select count(*) from "user" where name <> all(%s)', ours)
    form = "YYYY-MM-DD HH24:MI:SS.US"
    answer["newest"] = ask("package", "select to_char(max(metadata_modified), %s) from package", form) or ""
    answer["answers"] = True
except Exception:
    pass
print(json.dumps(answer))
"""


@dataclass(frozen=True)
class HoldingsState(Value):
    """What a database holds of CKAN's; ``answers``: it could be looked into, or its server says that it is not there.

    ``users`` are those besides the asked-for names; ``newest``: when a dataset was last changed (UTC, as
    "2026-01-31 12:00:00.000000"), "" for none.
    """

    answers: bool = False
    datasets: int = 0
    groups: int = 0
    users: int = 0
    newest: str = ""

    @property
    def empty(self) -> bool:
        """Whether there is nothing that somebody made."""
        return not (self.datasets or self.groups or self.users)

    def succeeds(self, former: HoldingsState) -> bool:
        """Whether nothing that FORMER holds seems to be missing here, as after a move of all data."""
        ours = (self.datasets, self.groups, self.users)
        theirs = (former.datasets, former.groups, former.users)
        return all(here >= there for here, there in zip(ours, theirs, strict=True)) and self.newest >= former.newest


class Location(FactBase[str]):
    """Host, port and name ("192.0.2.1:5432/ckan_default") of the database that a ckan.ini names; "" where none does.

    + ini: its path
    """

    @override
    def command(self, ini: str) -> StringCommand:
        """Build the one command of this fact; of the URL, neither role nor password leave the host."""
        return StringCommand(
            "if test -e", QuoteString(ini), "; then python3 -c", QuoteString(_LOCATION), QuoteString(ini), "; fi"
        )  # fmt: skip

    @staticmethod
    @override
    def default() -> str:
        """There is no ckan.ini."""
        return ""

    @override
    def process(self, output: list[str]) -> str:
        """Return the line; raises ``FactProcessError`` with the output shown."""
        if len(output) != 1 or ":" not in output[0]:
            raise FactProcessError(f"the database's location is not understood: {output!r}")
        return output[0]


class Holdings(FactBase[HoldingsState]):
    """What a database holds of CKAN's.

    + path: of CKAN's virtual environment, whose psycopg2 asks
    + ini: path of the ckan.ini that names the database, unless ``role`` is given
    + database: its host, port and name, for ``role``
    + role: whose password is on standard input (``_stdin``)
    + ours: users that a deploy makes
    """

    @override
    def command(
        self, path: str, ini: str, ours: tuple[str, ...] = (), database: tuple[str, int, str] = ("", 0, ""),
        role: str = "",
    ) -> StringCommand:  # fmt: skip
        """Build the one command of this fact; without an environment it prints nothing."""
        return in_environment(path, _HOLDINGS, ini, *map(str, database), role, *ours, stdin=True)

    @staticmethod
    @override
    def default() -> HoldingsState:
        """There is no CKAN that could ask."""
        return HoldingsState()

    @override
    def process(self, output: list[str]) -> HoldingsState:
        """Parse the JSON line; raises ``FactProcessError`` with the output shown."""
        try:
            return HoldingsState(**json.loads(output[-1]))
        except (TypeError, ValueError):
            raise FactProcessError(f"what the database holds is not understood: {output!r}") from None
