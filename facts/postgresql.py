"""Facts about PostgreSQL's roles and databases, asked of the server on the host itself as its superuser."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

# psql as the superuser over the socket: $1 is the port. `cd /` because it complains about a folder it may not enter.
PSQL = r"""
ask() {
  cd / && PGCONNECT_TIMEOUT=10 runuser -u postgres -- \
    psql -XAtqw -v ON_ERROR_STOP=1 -h /var/run/postgresql -p "$1" -d postgres
}
"""
# The system identifier of the cluster in a folder: initdb makes it, and it stays for the cluster's life. It is the
# first number in pg_control, which is there whether or not the server runs.
SYSTEM = r"""
system_of() { od -An -t u8 -N 8 "$1/global/pg_control" 2>/dev/null | tr -d ' '; }
"""

# A stamp counts while the cluster is there whose data folder and system identifier it has; a stamp of an earlier
# ckan-deploy has no identifier, and is renewed. Where the port is about to change, that cluster still answers on the
# one in its postmaster.pid.
_SCRIPT = (
    PSQL
    + SYSTEM
    + r"""
query() {
  answer=$(printf '%s\n' "$sql" | ask "$1" 2>&1) && printf '%s %s\n' "$2" "$(printf '%s\n' "$answer" | tail -n 1)"
}
sql=$3 data=
if [ "$(LC_ALL=C stat -c '%a %u %F' "$2" 2>/dev/null)" = "644 $(id -u) regular file" ]; then
  data=$(sed -n 1p "$2") system=$(sed -n 2p "$2")
  if [ "$(wc -l < "$2")" = 2 ] && [ -n "$system" ] && [ "$(system_of "$data")" = "$system" ]; then echo stamped; fi
fi
query "$1" answer && exit
printf 'error %s\n' "$(printf '%s\n' "$answer" | head -n 1)"
if [ -n "$data" ]; then
  old=$(sed -n 4p "$data/postmaster.pid" 2>/dev/null)
  if [ -n "$old" ] && [ "$old" != "$1" ]; then query "$old" elsewhere; fi
fi
exit 0
"""
)

# Of the password only salt, iterations and a hash over the verifier: pyinfra prints at -vvv what a fact reads.
_ROLE = """
SELECT coalesce((SELECT json_build_object(
  'attributes', json_build_array(
    CASE WHEN rolcanlogin THEN 'LOGIN' ELSE 'NOLOGIN' END,
    CASE WHEN rolsuper THEN 'SUPERUSER' ELSE 'NOSUPERUSER' END,
    CASE WHEN rolcreatedb THEN 'CREATEDB' ELSE 'NOCREATEDB' END,
    CASE WHEN rolcreaterole THEN 'CREATEROLE' ELSE 'NOCREATEROLE' END,
    CASE WHEN rolreplication THEN 'REPLICATION' ELSE 'NOREPLICATION' END,
    CASE WHEN rolbypassrls THEN 'BYPASSRLS' ELSE 'NOBYPASSRLS' END,
    'CONNECTION LIMIT ' || rolconnlimit,
    'VALID UNTIL ' || quote_literal(coalesce(rolvaliduntil, 'infinity')::text)),
  'password', CASE WHEN rolpassword LIKE 'SCRAM-SHA-256$%' THEN json_build_object(
    'iterations', split_part(split_part(rolpassword, '$', 2), ':', 1)::integer,
    'salt', split_part(split_part(rolpassword, '$', 2), ':', 2),
    'sha256', encode(sha256(convert_to(rolpassword, 'UTF8')), 'hex')) END
) FROM pg_authid WHERE rolname = {name})::text, 'null');
"""
_DATABASE = """
SELECT coalesce((SELECT json_build_object(
  'owner', pg_get_userbyid(datdba), 'encoding', pg_encoding_to_char(encoding)
) FROM pg_database WHERE datname = {name})::text, 'null');
"""


@dataclass(frozen=True)
class Password:
    """A SCRAM verifier without its keys: its salt (base64), and the SHA-256 over the whole of it."""

    iterations: int
    salt: str
    sha256: str


@dataclass(frozen=True)
class RoleState:
    """A role; ``attributes`` are words of ``ALTER ROLE``, ``password`` is None where it is no SCRAM verifier.

    ``asked``: the server answered on the port; if not, ``error`` is psql's first line, and ``known`` says that one
    answered on another port, so that the rest is true. ``stamped``: ckan-deploy once set the role up in a cluster
    that still exists; without that a later plan could not know while the server is down.
    """

    asked: bool = False
    known: bool = False
    stamped: bool = False
    error: str = ""
    exists: bool = False
    attributes: tuple[str, ...] = ()
    password: Password | None = None


@dataclass(frozen=True)
class DatabaseState:
    """A database; ``asked``, ``known``, ``stamped`` and ``error`` as in ``RoleState``."""

    asked: bool = False
    known: bool = False
    stamped: bool = False
    error: str = ""
    exists: bool = False
    owner: str = ""
    encoding: str = ""


def stamp_path(kind: str, name: str) -> str:
    """Path of the file that says that the "role" or "database" NAME was set up.

    Its lines are the cluster's data folder and its system identifier.
    """
    return f"/var/lib/ckan-deploy/postgresql/{kind}.{quote(name, safe='')}"


def literal(text: str) -> str:
    """Quote TEXT as an SQL string (``standard_conforming_strings`` is on since 9.1)."""
    return "'" + text.replace("'", "''") + "'"


class Role(FactBase[RoleState]):
    """A role of the server on this host.

    + role: its name
    + port: the server's
    """

    @override
    def command(self, role: str, port: int = 5432) -> StringCommand:
        """Build the one command of this fact."""
        return _command("role", role, port, _ROLE)

    @staticmethod
    @override
    def default() -> RoleState:
        """There is no PostgreSQL."""
        return RoleState()

    @override
    def process(self, output: list[str]) -> RoleState:
        """Parse the answer; raises ``FactProcessError`` with the output shown."""
        try:
            common, row = _parse(output)
            if row is None:
                return RoleState(**common)
            password = Password(**row["password"]) if row["password"] else None
            return RoleState(**common, exists=True, attributes=tuple(row["attributes"]), password=password)
        except (KeyError, TypeError, ValueError):
            raise FactProcessError(f"psql printed what is not understood: {output!r}") from None


class Database(FactBase[DatabaseState]):
    """A database of the server on this host.

    + database: its name
    + port: the server's
    """

    @override
    def command(self, database: str, port: int = 5432) -> StringCommand:
        """Build the one command of this fact."""
        return _command("database", database, port, _DATABASE)

    @staticmethod
    @override
    def default() -> DatabaseState:
        """There is no PostgreSQL."""
        return DatabaseState()

    @override
    def process(self, output: list[str]) -> DatabaseState:
        """Parse the answer; raises ``FactProcessError`` with the output shown."""
        try:
            common, row = _parse(output)
            if row is None:
                return DatabaseState(**common)
            return DatabaseState(**common, exists=True, owner=row["owner"], encoding=row["encoding"])
        except (KeyError, TypeError, ValueError):
            raise FactProcessError(f"psql printed what is not understood: {output!r}") from None


def _command(kind: str, name: str, port: int, query: str) -> StringCommand:
    arguments = (str(port), stamp_path(kind, name), query.format(name=literal(name)).strip())
    return StringCommand("sh -c", QuoteString(_SCRIPT), "ckan-deploy", *map(QuoteString, arguments))


def _parse(output: list[str]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the fields that both states share, and the row or None."""
    fields = dict(line.partition(" ")[::2] for line in output)
    asked = "answer" in fields
    answer = fields.get("answer", fields.get("elsewhere"))
    common = {
        "asked": asked,
        "known": answer is not None,
        "stamped": "stamped" in fields,
        "error": "" if asked else fields["error"],
    }
    return common, None if answer is None else json.loads(answer)
