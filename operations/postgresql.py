"""Manage PostgreSQL's roles and databases through the server on the host itself."""

from __future__ import annotations

from collections.abc import Generator
from secrets import token_bytes

from pyinfra import host, logger
from pyinfra.api import OperationError, OperationValueError, StringCommand, operation
from pyinfra.api.hiddenvalue import HiddenValue

from facts.postgresql import PSQL, Database, DatabaseState, Role, RoleState, literal, stamp_path
from operations import foresight, scram
from operations.files import ASIDE, script

_ATTRIBUTES = (
    "LOGIN",
    "NOSUPERUSER",
    "NOCREATEDB",
    "NOCREATEROLE",
    "NOREPLICATION",
    "NOBYPASSRLS",
    "CONNECTION LIMIT -1",
    "VALID UNTIL 'infinity'",
)

# The SQL comes on standard input and ends by showing the cluster's data folder and identifier, for the stamp ($2).
_RUN = (
    "set -e; umask 022"
    + PSQL
    + ASIDE
    + r"""
data=$(ask "$1")
mkdir -p "$(dirname "$2")"; rm -f "$2.new"; printf '%s\n' "$data" > "$2.new"; aside "$2" "$2.new"; mv -fT "$2.new" "$2"
"""
)
_WHICH = "SHOW data_directory; SELECT system_identifier FROM pg_control_system();"
# Verifiers belong neither into the server's log nor into psql's excerpt of a statement that failed.
_QUIET = """\\set VERBOSITY terse
SET log_statement = none; SET log_min_duration_statement = -1; SET log_min_error_statement = panic;
"""


@operation()
def role(role: str, password: HiddenValue, port: int = 5432) -> Generator[StringCommand, None, None]:
    """Have a role that may log in with this password, and nothing else.

    + role: its name
    + password: printable ASCII; compared through the SCRAM verifier, and only a verifier computed here is sent
    + port: the server's

    While the server is down its state is predicted from the stamp of an earlier run. Raises
    ``OperationValueError`` for a password that cannot be used, ``OperationError`` when the server does not
    answer during execution.
    """
    try:
        fresh = scram.verifier(password.unmask(), token_bytes(16))
    except ValueError as error:
        raise OperationValueError(f"role {role}: {error}") from None
    current = host.get_fact(Role, role=role, port=port)
    if _foreseen(current, port):
        host.noop(f"role {role} was set up, the server is not running yet")
        return
    if current.exists and current.stamped and tuple(current.attributes) == _ATTRIBUTES and _is_of(current, password):
        host.noop(f"role {role} is as wanted")
        return
    words = [*_ATTRIBUTES]
    if not (current.exists and _is_of(current, password)):
        words.append(f"PASSWORD {literal(fresh)}")
    verb = "ALTER" if current.exists else "CREATE"
    yield _run(port, "role", role, f"{_QUIET}{verb} ROLE {identifier(role)} WITH {' '.join(words)};")


@operation()
def database(database: str, owner: str, port: int = 5432) -> Generator[StringCommand, None, None]:
    """Have a database in UTF-8 that belongs to this role.

    + database: its name
    + owner: a role that exists when the operation runs
    + port: the server's

    A new one gets the locale C.UTF-8, whatever the cluster's: it is on every host and its order never changes.
    Nothing is ever dropped: a database in another encoding is an ``OperationError`` during execution (and a
    warning in the plan). While the server is down its state is predicted from the stamp of an earlier run.
    """
    current = host.get_fact(Database, database=database, port=port)
    wanted, new_owner = identifier(database), identifier(owner)
    if _foreseen(current, port):
        host.noop(f"database {database} was set up, the server is not running yet")
        return
    if current.exists and current.encoding != "UTF8":
        message = (
            f"database {database} is encoded in {current.encoding}, CKAN needs UTF8: dump it, rename it "
            f"(ALTER DATABASE {wanted} RENAME TO {identifier(database + '_old')}), deploy again, and load the dump"
        )
        if not foresight.preparing():
            raise OperationError(message)
        logger.warning(message)
        sql = ""  # never run
    elif not current.exists:
        sql = (
            f"CREATE DATABASE {wanted} OWNER {new_owner} TEMPLATE template0 ENCODING 'UTF8' "
            "LOCALE_PROVIDER libc LOCALE 'C.UTF-8';"
        )
    elif current.owner != owner or not current.stamped:
        sql = f"ALTER DATABASE {wanted} OWNER TO {new_owner};"
    else:
        host.noop(f"database {database} is as wanted")
        return
    yield _run(port, "database", database, sql)


def identifier(name: str) -> str:
    """Quote NAME as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def _foreseen(current: RoleState | DatabaseState, port: int) -> bool:
    """Whether nothing is known but that an earlier run set it up.

    Raises ``OperationError`` where the server must answer: during execution, earlier operations have started it.
    """
    if not current.asked and not foresight.preparing():
        raise OperationError(
            f"PostgreSQL does not answer on port {port} of this host: {current.error or 'psql printed nothing'} "
            "(see /var/log/postgresql and pg_lsclusters)"
        )
    return current.stamped and not current.known


def _is_of(current: RoleState, password: HiddenValue) -> bool:
    """Whether the role's verifier is of PASSWORD, and not weaker than one made here."""
    there = current.password
    if there is None or there.iterations < scram.ITERATIONS:
        return False
    try:
        return scram.digest(password.unmask(), there.salt, there.iterations) == there.sha256
    except ValueError:  # a salt that is not base64: not of our making
        return False


def _run(port: int, kind: str, name: str, sql: str) -> StringCommand:
    """Note and build the command that runs SQL and leaves the stamp."""
    stamp = stamp_path(kind, name)
    foresight.will_touch(stamp)
    return script(_RUN, port, stamp, stdin=f"{sql}\n{_WHICH}\n")
