"""A database with data is not left behind silently: what is asked, and what preflight makes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.exceptions import PyinfraError

from deploys import preflight
from facts.ckan_data import Holdings, HoldingsState, Location
from facts.clock import Clock, ClockState
from facts.foreign import Foreign, ForeignState
from facts.host import Basics, HostState
from facts.left_files import LeftFiles
from facts.surroundings import Surroundings
from settings.host import HostSettings
from settings.resolve import resolve
from settings.store import SecretStore
from tests.unit.test_settings import SPLIT, sources

OLD, NEW = "127.0.0.1:5432/ckan_default", "192.0.2.21:5432/ckan_default"
PASSWORD = "p%s3cret"

PSYCOPG2 = """
import json, os
class OperationalError(Exception): pass
def connect(dsn="", connect_timeout=0, **where):
    answers = json.load(open(os.environ["FOLDER"] + "/answers.json"))
    found = answers[dsn or "{user}:{password}@{host}:{port}/{dbname}".format(**where)]
    if isinstance(found, str): raise OperationalError(found)
    return Connection(found)
class Connection:
    def __init__(self, tables): self.tables = tables
    def cursor(self): return self
    def execute(self, query, arguments=()):
        if "to_regclass" in query:
            name = arguments[0].partition(".")[2]
            self.row = (name if name in self.tables else None,)
        else:
            name = query.split("from ")[1].split()[0].strip('"')
            if "max(" in query:
                self.row = (max(self.tables[name], default=None),)
                return
            ours = arguments[0] if arguments else ()
            self.row = (len([item for item in self.tables[name] if item not in ours]),)
    def fetchone(self): return self.row
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "psycopg2.py").write_text(PSYCOPG2)
    python = tmp_path / "env/bin/python"
    python.write_text(f'#!/bin/sh\nshift\nexec env PYTHONPATH={tmp_path} FOLDER={tmp_path} {sys.executable} "$@"\n')
    python.chmod(0o755)
    url = f"postgresql://u:{PASSWORD.replace('%', '%%25')}@db.example.org/ckan"
    (tmp_path / "ckan.ini").write_text(f"[DEFAULT]\ndebug = false\n[app:main]\nsqlalchemy.url = {url}\n")
    return tmp_path


def read(fact: Any, *, text: str = "", **arguments: Any) -> Any:
    command = fact.command(**arguments).get_raw_value()
    done = subprocess.run(["sh", "-c", command], input=text, capture_output=True, text=True, check=True)
    assert PASSWORD not in done.stdout + done.stderr + command
    return fact.process(done.stdout.splitlines()) if done.stdout else fact.default()


def test_the_location_is_told_without_the_password(folder: Path) -> None:
    assert read(Location(), ini=str(folder / "ckan.ini")) == "db.example.org:5432/ckan"
    assert read(Location(), ini=str(folder / "none.ini")) == ""
    (folder / "ckan.ini").write_text("half a fi")
    assert read(Location(), ini=str(folder / "ckan.ini")) == ""


def test_holdings(folder: Path) -> None:
    common: dict[str, Any] = {
        "path": str(folder / "env"),
        "ini": str(folder / "ckan.ini"),
        "ours": ("default", "admin"),
    }
    old = f"postgresql://u:{PASSWORD.replace('%', '%25')}@db.example.org/ckan"
    new = f"ckan:{PASSWORD}@192.0.2.1:5433/other"
    there: dict[str, Any] = {"database": ("192.0.2.1", 5433, "other"), "role": "ckan", "text": f"{PASSWORD}\n"}

    def answer(value: Any) -> None:
        (folder / "answers.json").write_text(json.dumps({old: value, new: value}))

    which: dict[str, Any]
    for which in ({}, there):
        answer({"package": ["a", "b"], "group": ["g"], "user": ["default", "admin", "alice"]})
        assert read(Holdings(), **common, **which) == HoldingsState(True, 2, 1, 1, "b")
        answer({"package": [], "group": [], "user": ["default", "admin"]})
        assert read(Holdings(), **common, **which).empty
        answer({})
        assert read(Holdings(), **common, **which) == HoldingsState(answers=True)
        answer('FATAL:  database "ckan" does not exist')
        assert read(Holdings(), **common, **which) == HoldingsState(answers=True)
        answer("connection refused")
        assert read(Holdings(), **common, **which) == HoldingsState(answers=False)
        answer('FATAL:  role "u" does not exist')
        assert read(Holdings(), **common, **which) == HoldingsState(answers=False)
    assert read(Holdings(), **{**common, "path": "/none"}) == HoldingsState()


class Host:
    """What preflight asks; NEW is asked with a password, and only where that matters."""

    name = "data"
    connector = None

    def __init__(self, location: str, old: HoldingsState, new: HoldingsState) -> None:
        self.location, self.old, self.new = location, old, new
        self.asked: list[str] = []
        self.data = SimpleNamespace()

    def get_fact(self, fact: Any, **arguments: Any) -> Any:
        if fact is Basics:
            return HostState("bookworm", "Debian 12", "x86_64", True, 8000, 100)
        if fact is Clock:
            return ClockState()
        if fact is Location:
            return self.location
        if fact is Foreign:
            return ForeignState(ours=True)
        if fact in (LeftFiles, Surroundings):
            return fact.default()
        self.asked.append("new" if "role" in arguments else "old")
        return self.new if "role" in arguments else self.old


def check(monkeypatch: pytest.MonkeyPatch, settings: HostSettings, *arguments: Any) -> Host:
    host = Host(*arguments)
    monkeypatch.setattr(preflight, "host", host)
    checks = [f"deploys.checks.{name}" for name in ("foreign", "left_files", "surroundings")]
    for module in ("operations.clock", "operations.variables", *checks):
        monkeypatch.setattr(f"{module}.host", host)
    monkeypatch.setattr(preflight, "another_database", lambda *_: "")  # tests/unit/test_identity.py
    monkeypatch.setattr(preflight, "left_jobs", lambda *_: "")
    preflight.preflight(settings)
    return host


DATA, EMPTY, SILENT = (
    HoldingsState(True, 3, 1, 2, "2026-02-01 12:00:00.5"),
    HoldingsState(answers=True),
    HoldingsState(),
)
OLDER, FEWER = HoldingsState(True, 3, 1, 2, "2026-01-31 12:00:00.5"), HoldingsState(True, 2, 1, 2, DATA.newest)


def portal(tmp_path: Path, **data: Any) -> HostSettings:
    return resolve(sources(SPLIT, data), SecretStore(tmp_path / "secrets", generate=True))["data"]


@pytest.mark.parametrize(
    ("location", "old", "new", "asked"),
    [
        ("", SILENT, SILENT, []),  # a bare host
        (NEW, DATA, SILENT, []),  # the same database, whether or not it answers
        (OLD, EMPTY, SILENT, ["old"]),
        (OLD, DATA, DATA, ["old", "new"]),  # the data was moved
    ],
)
def test_what_goes_on(
    location: str, old: HoldingsState, new: HoldingsState, asked: list[str], tmp_path: Path, monkeypatch: Any
) -> None:
    assert check(monkeypatch, portal(tmp_path), location, old, new).asked == asked


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (
            DATA,
            SILENT,
            "does not answer or does not exist yet, while the present one, .* holds 3 datasets, last changed",
        ),
        (DATA, EMPTY, "which holds nothing, while the present one, .*holds 3 datasets"),
        (
            DATA,
            OLDER,
            "which holds 3 datasets, last changed at 2026-01-31 12:00:00 UTC, 1 groups .*2026-02-01 12:00:00 UTC",
        ),
        (DATA, FEWER, "which holds 2 datasets, .*while the present one, .*holds 3 datasets"),
        (SILENT, EMPTY, "which holds nothing, while the present one, .* does not answer, so that nobody can tell"),
        (SILENT, DATA, "which holds 3 datasets.*, while the present one, .* does not answer, so that nobody can tell"),
    ],
)
def test_what_stops(old: HoldingsState, new: HoldingsState, says: str, tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(PyinfraError, match=says) as caught:
        check(monkeypatch, portal(tmp_path), OLD, old, new)
    assert f'or leave the old one behind with ckan_database_leave_behind = "{OLD}"' in str(caught.value)
    check(monkeypatch, portal(tmp_path, ckan_database_leave_behind=OLD), OLD, old, new)
    with pytest.raises(PyinfraError, match=says):  # another one is named
        check(monkeypatch, portal(tmp_path, ckan_database_leave_behind=f"{OLD}_old"), OLD, old, new)
