"""Facts about an installed CKAN, without CKAN's own slow commands."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.sent import PRIVATE, in_environment_or_host
from facts.value import Value

_VERSION = r"""
if [ -x "$1/bin/python" ]; then
  printf 'venv %s\n' "$("$1/bin/python" -I -c 'import importlib.metadata as m; print(m.version("ckan"))' 2>/dev/null)"
fi
printf 'deb %s\n' "$(dpkg-query -W -f '${db:Status-Abbrev} ${Version}' python-ckan 2>/dev/null | sed -n 's/^ii *//p')"
"""

# Heads are those revisions of the installed migrations that no other one follows; the applied ones stand in the
# tables alembic_version and PLUGIN_alembic_version. CKAN's own command takes seconds and does not tell them apart
# by its exit status. The URL is read from ckan.ini on the host: it holds the password.
_DATABASE = (
    PRIVATE
    + r"""
import configparser, glob, json, os, re, sys
ini, stamp, user, plugins = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
answer = {"reachable": False, "missing": False, "pending": [], "stamp": None, "user": ""}
if (noted := private(stamp)) is not None:
    answer["stamp"] = noted.strip()
def heads(pattern):
    revisions, followed = set(), set()
    for path in glob.glob(pattern):
        text = open(path).read()
        found = re.search(r"^revision\s*(?::[^=]+)?=\s*[uU]?[\"'](\w+)[\"']", text, re.M)
        if found:
            revisions.add(found.group(1))
            down = re.search(r"^down_revision\s*(?::[^=]+)?=\s*(.+)$", text, re.M)
            followed.update(re.findall(r"[\"'](\w+)[\"']", down.group(1)) if down else [])
    return revisions - followed
try:
    import psycopg2
    parser = configparser.RawConfigParser()
    parser.read(ini)
    url = parser.get("app:main", "sqlalchemy.url").replace("%%", "%")
    try:
        connection = psycopg2.connect(url, connect_timeout=10)
    except psycopg2.OperationalError as error:
        answer["missing"] = "does not exist" in str(error)
        raise
    cursor = connection.cursor()
    answer["reachable"] = True
    sources = [("ckan", "alembic_version", "ckan/migration/versions/*.py")]
    sources += [(p, p + "_alembic_version", "ckanext/*/migration/" + p + "/versions/*.py") for p in plugins]
    packages = [p for p in sys.path if p.endswith("site-packages")]
    for name, table, pattern in sources:
        wanted = set().union(*(heads(os.path.join(p, pattern)) for p in packages))
        cursor.execute("select to_regclass(%s)", ("public." + table,))
        applied = set()
        if cursor.fetchone()[0]:
            cursor.execute('select version_num from "%s"' % table)
            applied = {row[0] for row in cursor.fetchall()}
        if wanted and wanted != applied:
            answer["pending"].append(name)
    cursor.execute("select to_regclass('public.user')")
    if user and cursor.fetchone()[0]:
        cursor.execute('select state from "user" where name = %s', (user,))
        answer["user"] = (cursor.fetchone() or [""])[0]
except Exception as error:
    if answer["reachable"]:
        raise
print(json.dumps(answer))
"""
)


@dataclass(frozen=True)
class CkanVersion(Value):
    """Version of CKAN in the environment, and of the package python-ckan; None where there is none."""

    environment: str | None = None
    package: str | None = None


class Version(FactBase[CkanVersion]):
    """The installed CKAN version, from the environment's metadata, and from the deb where there is one.

    + path: of the virtual environment
    """

    @override
    def command(self, path: str) -> StringCommand:
        """Build the one command of this fact."""
        return StringCommand("sh -c", QuoteString(_VERSION), "ckan-deploy", QuoteString(path))

    @staticmethod
    @override
    def default() -> CkanVersion:
        """CKAN is not installed."""
        return CkanVersion()

    @override
    def process(self, output: list[str]) -> CkanVersion:
        """Parse the lines; raises ``FactProcessError`` with the output shown."""
        fields = {key: value.strip() or None for key, _, value in (line.partition(" ") for line in output)}
        if "deb" not in fields or set(fields) - {"deb", "venv"}:
            raise FactProcessError(f"the version is not understood: {output!r}")
        return CkanVersion(fields.get("venv"), fields["deb"])


@dataclass(frozen=True)
class DatabaseState(Value):
    """CKAN's database as seen from the portal.

    ``missing``: the server answers, but has no such database. ``pending``: sources of unapplied migrations.
    ``stamp``: what the last upgrade left. ``user``: the asked-for account's state in CKAN's words, "active" or
    "deleted"; empty where there is none.
    """

    reachable: bool = False
    missing: bool = False
    pending: tuple[str, ...] = ()
    stamp: str | None = None
    user: str = ""


class Database(FactBase[DatabaseState]):
    """Whether CKAN's database is reachable and up to date.

    + path: of CKAN's virtual environment
    + ini: path of ckan.ini, which names the database
    + stamp: path of the file that the last upgrade left
    + plugins: enabled plugins, which may have migrations of their own
    + user: name of a user to look for; empty: none
    """

    @override
    def command(self, path: str, ini: str, stamp: str, plugins: Sequence[str] = (), user: str = "") -> StringCommand:
        """Build the one command of this fact; without an environment the host's Python tells the stamp at least."""
        return in_environment_or_host(path, _DATABASE, ini, stamp, user, *plugins)

    @staticmethod
    @override
    def default() -> DatabaseState:
        """There is no CKAN that could ask."""
        return DatabaseState()

    @override
    def process(self, output: list[str]) -> DatabaseState:
        """Parse the JSON line; raises ``FactProcessError`` with the output shown."""
        try:
            answer = json.loads(output[-1])
            return DatabaseState(**{**answer, "pending": tuple(answer["pending"])})
        except (KeyError, TypeError, ValueError):
            raise FactProcessError(f"the state of CKAN's database is not understood: {output!r}") from None
