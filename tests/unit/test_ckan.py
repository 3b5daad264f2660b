"""CKAN's database and sysadmin, with stand-ins for CKAN's command, its Python and psycopg2."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from facts.ckan import Database
from operations import ckan, ckan_sysadmin, stamps
from settings.secret import Secret
from tests.unit.converge import apply, changed, mode, shim

PASSWORD = "s3cret-%w0rd"
SECRET_KEY = Secret("signs")
MADE = {"first": True, "token": ""}  # what is told of an account that is made


class Portal:
    """An environment whose Python sees a psycopg2 that answers from ``database.json``."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.env, self.site = folder, folder / "env", folder / "site-packages"
        (self.env / "bin").mkdir(parents=True)
        (self.site / "ckan/migration/versions").mkdir(parents=True)
        self.ini = folder / "ckan.ini"
        self.ini.write_text("[app:main]\nsqlalchemy.url = postgresql://u:p%%25@db/ckan\n")
        python = self.env / "bin/python"
        python.write_text(
            '#!/bin/sh\n[ "$1" = -I ] && shift\n'
            f'exec env PYTHONPATH={self.site} FOLDER={folder} {sys.executable} "$@"\n'
        )
        python.chmod(0o755)
        (self.site / "psycopg2.py").write_text(PSYCOPG2)
        self.answer()

    def answer(self, **tables: Any) -> None:
        self.tables = tables
        (self.folder / "database.json").write_text(json.dumps(tables))

    def migration(self, name: str, *down: str, plugin: str = "", spelling: str = "revision = '{}'") -> None:
        folder = self.site / (f"ckanext/x/migration/{plugin}/versions" if plugin else "ckan/migration/versions")
        folder.mkdir(parents=True, exist_ok=True)
        followed = "None" if not down else repr(down[0]) if len(down) == 1 else repr(down)
        (folder / f"{name}.py").write_text(
            f'"""Text\nRevises: {down}"""\n{spelling.format(name)}\ndown_revision = {followed}\n'
        )


PSYCOPG2 = """
import json, os
class OperationalError(Exception): pass
def connect(url, connect_timeout):
    assert url == "postgresql://u:p%25@db/ckan", url
    tables = json.load(open(os.environ["FOLDER"] + "/database.json"))
    if "refuse" in tables: raise OperationalError(tables["refuse"])
    return Connection(tables)
class Connection:
    def __init__(self, tables): self.tables = tables
    def cursor(self): return self
    def execute(self, query, arguments=()):
        if "to_regclass" in query:
            name = arguments[0] if arguments else "public.user"
            self.rows = [(name if name.partition(".")[2] in self.tables else None,)]
        elif "version_num" in query: self.rows = [(v,) for v in self.tables[query.split('"')[1]]]
        else: self.rows = [(self.tables["user"][arguments[0]],)] if arguments[0] in self.tables["user"] else []
    def fetchone(self): return self.rows[0] if self.rows else None
    def fetchall(self): return self.rows
"""


@pytest.fixture
def portal(tmp_path: Path, shims: Path, monkeypatch: pytest.MonkeyPatch) -> Portal:
    monkeypatch.setattr(stamps, "FOLDER", str(tmp_path / "stamps"))
    monkeypatch.setattr(ckan, "_UPGRADE_STAMP", str(tmp_path / "stamps/upgrade"))
    shim(shims, "runuser", '[ "$1 $2 $3" = "-u www-data --" ] || exit 3; shift 3; exec "$@"')
    return Portal(tmp_path)


def state(portal: Portal, *plugins: str, user: str = "") -> Any:
    fact: Any = Database()
    command = fact.command(str(portal.env), str(portal.ini), "/nowhere", plugins, user)
    result = subprocess.run(["sh", "-c", command.get_raw_value()], capture_output=True, text=True, check=True)
    return fact.process(result.stdout.splitlines())


def test_a_database_at_its_heads(portal: Portal) -> None:
    portal.migration("a1")
    portal.migration("b2", "a1")
    portal.answer(alembic_version=["b2"], user={"admin": "active", "other": "deleted"})
    found = state(portal, user="admin")
    assert (found.reachable, found.pending, found.missing, found.user) == (True, (), False, "active")
    assert [state(portal, user=user).user for user in ("other", "nobody")] == ["deleted", ""]
    assert (state(portal, user="nobody").user, state(portal).user) == ("", "")


@pytest.mark.parametrize("spelling", ["revision = '{}'", 'revision: str = "{}"', "revision = u'{}'", 'revision="{}"'])
def test_pending_migrations(spelling: str, portal: Portal) -> None:
    portal.migration("a1", spelling=spelling)
    portal.migration("b2", "a1", spelling=spelling)
    portal.answer(alembic_version=["a1"])
    assert state(portal).pending == ("ckan",)
    portal.answer(alembic_version=["b2"])
    assert state(portal).pending == ()
    portal.answer()
    assert state(portal).pending == ("ckan",)


def test_branches_and_merges_of_migrations(portal: Portal) -> None:
    for name, down in {"a1": (), "b2": ("a1",), "c3": ("a1",)}.items():
        portal.migration(name, *down)
    portal.answer(alembic_version=["b2", "c3"])
    assert state(portal).pending == ()
    portal.migration("d4", "b2", "c3")
    assert state(portal).pending == ("ckan",)
    portal.answer(alembic_version=["d4"])
    assert state(portal).pending == ()


def test_migrations_of_plugins(portal: Portal) -> None:
    portal.migration("a1")
    portal.migration("p1", plugin="activity")
    portal.answer(alembic_version=["a1"])
    assert state(portal, "activity", "text_view").pending == ("activity",)
    assert state(portal).pending == ()
    portal.answer(alembic_version=["a1"], activity_alembic_version=["p1"])
    assert state(portal, "activity").pending == ()


def test_a_server_that_does_not_answer_and_a_missing_database(portal: Portal) -> None:
    portal.answer(refuse="connection refused")
    assert (state(portal).reachable, state(portal).missing) == (False, False)
    portal.answer(refuse='FATAL: database "ckan" does not exist')
    assert (state(portal).reachable, state(portal).missing) == (False, True)


def command(portal: Portal, body: str) -> None:
    path = portal.env / "bin/ckan"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def database(portal: Portal, **kw: Any) -> dict[str, Any]:
    return {"path": str(portal.env), "ini": str(portal.ini), "plugins": [], "lock": "l", "location": "db/ckan", **kw}


def test_the_upgrade_runs_when_something_is_new(portal: Portal) -> None:
    portal.migration("a1")
    portal.answer()
    command(
        portal,
        f'echo "$@" >> {portal.folder}/ran; echo \'{{"alembic_version": ["a1"]}}\' > {portal.folder}/database.json',
    )
    assert changed(ckan.database, **database(portal))
    assert changed(ckan.database, **database(portal, lock="newer"))
    assert changed(ckan.database, **database(portal, lock="newer", location="other/ckan"))
    portal.migration("b2", "a1")
    assert apply(ckan.database, dry=True, **database(portal, lock="newer", location="other/ckan")).predicted
    assert (portal.folder / "ran").read_text() == f"-c {portal.ini} db upgrade\n" * 3


def test_a_failed_upgrade_shows_what_ckan_said_and_is_made_up_for(portal: Portal) -> None:
    portal.migration("a1")
    portal.answer()
    command(portal, "echo SUCCESS; echo 'relation is missing' >&2; exit 1")
    outcome = apply(ckan.database, **database(portal))
    assert outcome.failed
    assert "relation is missing" in outcome.output
    command(portal, f'echo \'{{"alembic_version": ["a1"]}}\' > {portal.folder}/database.json')
    assert changed(ckan.database, **database(portal))


def test_before_ckan_is_installed_the_upgrade_is_planned(portal: Portal) -> None:
    missing = database(portal, path=str(portal.folder / "none"))
    assert apply(ckan.database, dry=True, **missing).predicted
    outcome = apply(ckan.database, **missing)
    assert outcome.failed


def sysadmin(portal: Portal, **kw: Any) -> dict[str, Any]:
    """Arguments for the operation; what CKAN would do is done by a stand-in that notes what it was given."""
    python = portal.env / "bin/python"
    original = python.read_text().splitlines()[-1]
    python.write_text(f"""#!/bin/sh
if [ "$1" = -I ]; then shift; {original}; fi
tr '\\0' '\\n' < /proc/$$/cmdline > {portal.folder}/argv; tr '\\0' '\\n' < /proc/$$/environ >> {portal.folder}/argv
cat > {portal.folder}/stdin; stat -Lc %a /proc/self/fd/1 > {portal.folder}/mode
echo '{{"user": {{"admin": "active"}}}}' > {portal.folder}/database.json
grep -q '"token": "always"' {portal.folder}/stdin && echo t0ken
echo 'log of ckan' >&2
""")
    secret = Secret(PASSWORD)
    arguments = {"path": str(portal.env), "ini": str(portal.ini), "user": "admin", "email": "a@example.org"}
    return {**arguments, "password": secret, "location": "db/ckan", "secret_key": SECRET_KEY, **kw}


def stamp(portal: Portal, token: Path | None = None, password: str = PASSWORD) -> None:
    """Leave the stamp of an earlier run."""
    given = hashlib.scrypt(password.encode(), salt=b"db/ckan admin", n=2**14, r=8, p=1, dklen=32).hex()
    key = f"db/ckan {hmac.digest(SECRET_KEY.unmask().encode(), b'API tokens', 'sha256').hex()} {given}"
    path = portal.folder / "stamps/sysadmin.admin"
    path.parent.mkdir(exist_ok=True)
    path.write_text(key + (f" {sha256(token.read_bytes()).hexdigest()}" if token else "") + "\n")
    path.chmod(0o600)


def test_a_sysadmin_is_made_once_and_its_password_is_in_no_argv(portal: Portal) -> None:
    portal.answer(user={})
    assert changed(ckan_sysadmin.sysadmin, **sysadmin(portal))
    given = json.loads((portal.folder / "stdin").read_text())
    assert given == {"name": "admin", "email": "a@example.org", "password": PASSWORD, "rotated": False, **MADE}
    assert str(portal.ini) in (portal.folder / "argv").read_text()
    assert PASSWORD not in (portal.folder / "argv").read_text()
    noted = portal.folder / "stamps/sysadmin.admin"
    assert mode(noted) == 0o600
    for word in noted.read_text().split()[1:]:  # the password may be guessed from it
        assert word not in (portal.folder / "argv").read_text()


def test_a_password_that_was_rotated_is_set_and_another_one_is_kept(portal: Portal) -> None:
    """Somebody who exists may have chosen a password on the portal: only a new wish replaces it, and only once."""
    portal.answer(user={"admin": "active"})
    first = sysadmin(portal)
    assert changed(ckan_sysadmin.sysadmin, **first)  # who was there before this deploy keeps the password
    assert json.loads((portal.folder / "stdin").read_text())["rotated"] is False
    rotated = {**first, "password": Secret("another one")}
    assert changed(ckan_sysadmin.sysadmin, **rotated)
    given = json.loads((portal.folder / "stdin").read_text())
    assert (given["rotated"], given["password"]) == (True, "another one")
    assert not apply(ckan_sysadmin.sysadmin, dry=True, **rotated).predicted
    elsewhere = {**first, "location": "other/ckan"}  # another database, in which somebody of that name may be
    assert changed(ckan_sysadmin.sysadmin, **elsewhere)
    assert json.loads((portal.folder / "stdin").read_text())["rotated"] is False


@pytest.mark.parametrize("role", ["active", "deleted"])
def test_what_people_do_with_an_account_that_was_made_is_their_business(role: str, portal: Portal) -> None:
    """Whether it is a sysadmin is not even asked: b65cd80's stamp says that it was made for this database."""
    stamp(portal)
    portal.answer(user={"admin": role})
    wanted = sysadmin(portal)
    assert not apply(ckan_sysadmin.sysadmin, **wanted).changed
    portal.answer(user={"admin": role})
    rotated = {**wanted, "password": Secret("another one")}
    assert apply(ckan_sysadmin.sysadmin, **rotated).changed
    given = json.loads((portal.folder / "stdin").read_text())
    assert (given["rotated"], given["first"]) == (True, False)
    portal.answer(user={"admin": role})
    assert not apply(ckan_sysadmin.sysadmin, **rotated).changed


def test_a_database_without_the_account_is_another_one(portal: Portal) -> None:
    """CKAN removes no account that is deleted: one that is not there at all was never made here."""
    stamp(portal)
    portal.answer(user={})
    assert changed(ckan_sysadmin.sysadmin, **sysadmin(portal))


@pytest.mark.skipif(os.geteuid() != 0, reason="the token must belong to root")
@pytest.mark.parametrize("with_token", [True, False])
def test_an_account_that_was_deleted_gets_no_token(with_token: bool, portal: Portal, tmp_path: Path) -> None:
    token = tmp_path / "token"
    arguments = sysadmin(portal, token=str(token), secret_key=Secret("another"))
    if with_token:
        token.write_text("t0ken")
        token.chmod(0o600)
    stamp(portal, token if with_token else None)
    portal.answer(user={"admin": "deleted"})
    assert not apply(ckan_sysadmin.sysadmin, **arguments).changed
    assert token.exists() == with_token
    rotated = {**arguments, "password": Secret("another one")}
    outcome = apply(ckan_sysadmin.sysadmin, **rotated)
    assert outcome.changed and not outcome.failed, outcome.output
    assert json.loads((portal.folder / "stdin").read_text())["token"] == ""
    portal.answer(user={"admin": "active"})  # somebody has it back
    assert changed(ckan_sysadmin.sysadmin, **rotated)
    assert token.read_text() == "t0ken\n"


# As much of CKAN as the program that the operation runs uses; the account stands in a file.
CKAN = """
import json, os, sys
from types import ModuleType, SimpleNamespace
path = os.environ["FOLDER"] + "/account.json"
class User:
    @staticmethod
    def get(name): return account
    def __init__(self, **values): self.__dict__.update(values)
account = User(**json.load(open(path))) if os.path.exists(path) else None
class Session:
    @staticmethod
    def add(user): pass
    @staticmethod
    def commit():
        if account: json.dump(account.__dict__, open(path, "w"))
def create(context, values):
    global account
    account = User(**values, state="active", sysadmin=False)
    if not context.get("defer_commit"): Session.commit()
actions = {
    "get_site_user": lambda context, values: {"name": "default"},
    "user_create": create,
    "api_token_create": lambda context, values: {"token": "t0ken"},
}
class Context:
    def __enter__(self): pass
    def __exit__(self, *_): pass
def module(name, **content):
    made = sys.modules[name] = ModuleType(name)
    made.__dict__.update(content)
    return made
model = module("ckan.model", User=User, Session=Session)
toolkit = module("ckan.plugins.toolkit", get_action=actions.get)
module("ckan.plugins", toolkit=toolkit)
module("ckan.cli", load_config=lambda ini: ini)
module("ckan.config.middleware", make_app=lambda config: SimpleNamespace(test_request_context=Context))
module("ckan.config")
module("ckan", model=model)
"""
ACTIVE = {"name": "admin", "password": "chosen", "state": "active", "sysadmin": True}


@pytest.mark.parametrize(
    ("account", "wanted", "after", "token"),
    [
        (None, {}, {"state": "active", "sysadmin": True, "password": PASSWORD}, "t0ken\n"),
        (None, {"first": False}, {"state": "active", "sysadmin": True, "password": PASSWORD}, "t0ken\n"),
        ({**ACTIVE, "sysadmin": False}, {}, ACTIVE, ""),  # who is named is made one, once
        ({**ACTIVE, "sysadmin": False}, {"first": False}, {**ACTIVE, "sysadmin": False}, ""),
        ({**ACTIVE, "state": "deleted"}, {}, {**ACTIVE, "state": "deleted"}, ""),
        ({**ACTIVE, "state": "deleted"}, {"first": False, "token": "always"}, {**ACTIVE, "state": "deleted"}, ""),
        (ACTIVE, {"first": False, "rotated": True, "token": "always"}, {**ACTIVE, "password": PASSWORD}, "t0ken\n"),
        (
            {**ACTIVE, "state": "deleted", "sysadmin": False},
            {"first": False, "rotated": True},
            {**ACTIVE, "state": "deleted", "sysadmin": False, "password": PASSWORD},
            "",
        ),
    ],
)
def test_only_an_account_that_is_not_there_is_made(
    account: dict[str, Any] | None, wanted: dict[str, Any], after: dict[str, Any], token: str, tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text(CKAN)
    if account:
        (tmp_path / "account.json").write_text(json.dumps(account))
    given = {"name": "admin", "email": "a@example.org", "password": PASSWORD, "rotated": False, "first": True}
    stdin = json.dumps({**given, "token": "with the user", **wanted})
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "FOLDER": str(tmp_path)}
    command = [sys.executable, "-c", ckan_sysadmin._SYSADMIN, "/ini"]
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout == token
    found = json.loads((tmp_path / "account.json").read_text())
    assert {name: found[name] for name in after} == after


@pytest.mark.skipif(os.geteuid() != 0, reason="the token must belong to root")
def test_a_token_is_written_into_a_private_file(portal: Portal) -> None:
    portal.answer(user={"admin": "active"})
    token = portal.folder / "token"
    before = os.umask(0)
    try:
        arguments = sysadmin(portal, token=str(token))
        assert changed(ckan_sysadmin.sysadmin, **arguments)
    finally:
        os.umask(before)
    assert (portal.folder / "mode").read_text() == "600\n"
    assert (token.read_text(), mode(token)) == ("t0ken\n", 0o600)
    assert not apply(ckan_sysadmin.sysadmin, dry=True, **arguments).predicted
    token.chmod(0o644)
    assert apply(ckan_sysadmin.sysadmin, dry=True, **arguments).predicted
    token.chmod(0o600)
    other = Secret("another")
    for change in ({"secret_key": other}, {"location": "elsewhere/ckan"}):
        assert apply(ckan_sysadmin.sysadmin, dry=True, **{**arguments, **change}).predicted, change
    token.write_text("")
    assert apply(ckan_sysadmin.sysadmin, dry=True, **arguments).predicted
    token.unlink()
    token.mkdir()
    (token / "precious").touch()
    assert changed(ckan_sysadmin.sysadmin, **arguments)
    assert token.read_text() == "t0ken\n"
    assert [path.name for path in portal.folder.glob("token.new.aside.*/*")] == ["precious"]


def test_without_an_environment_the_stamp_is_told(portal: Portal) -> None:
    """A lost environment is built anew by an earlier operation; the database is what it was."""
    stamp(portal)
    fact: Any = Database()
    command = fact.command(str(portal.folder / "none"), str(portal.ini), str(portal.folder / "stamps/sysadmin.admin"))
    result = subprocess.run(["sh", "-c", command.get_raw_value()], capture_output=True, text=True, check=True)
    assert fact.process(result.stdout.splitlines()).stamp
    assert not apply(ckan_sysadmin.sysadmin, dry=True, **sysadmin(portal, path=str(portal.folder / "none"))).predicted
    (portal.folder / "stamps/sysadmin.admin").chmod(0o644)
    assert apply(ckan_sysadmin.sysadmin, dry=True, **sysadmin(portal, path=str(portal.folder / "none"))).predicted


def test_a_database_that_is_down(portal: Portal) -> None:
    portal.answer(refuse="connection refused")
    stamp(portal)
    outcome = apply(ckan_sysadmin.sysadmin, **sysadmin(portal))
    assert not outcome.predicted  # made before: a database that is down is no reason to plan a change
    assert outcome.failed


def test_a_database_that_was_dropped_gets_its_sysadmin_again(portal: Portal) -> None:
    """The plan must know: an earlier operation makes the database anew, and it is empty then."""
    portal.answer(refuse='FATAL: database "ckan" does not exist')
    stamp(portal)
    assert apply(ckan_sysadmin.sysadmin, dry=True, **sysadmin(portal)).predicted


def test_another_database_gets_its_sysadmin_and_a_token_of_its_own(portal: Portal) -> None:
    """In the plan ckan.ini still names the former one, which has it."""
    portal.answer(user={"admin": "active"})
    wanted = sysadmin(portal)
    assert changed(ckan_sysadmin.sysadmin, **wanted)
    assert changed(ckan_sysadmin.sysadmin, **{**wanted, "location": "other/ckan"})
