"""A portal does not come up empty because another cluster or database stands where its own was."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploys.checks import identity
from facts import cluster as facts_of_cluster
from facts.ckan_data import Location
from facts.ckan_identity import Identity, IdentityState, PresentDatabase, RecordedDatabase
from facts.cluster import Cluster, Clusters, ClustersState, Held, Record, Recorded
from facts.host import Basics, HostState
from facts.postgresql import Database, DatabaseState
from settings.host import HostSettings
from settings.releases import RELEASES
from settings.resolve import resolve
from settings.store import SecretStore
from tests.unit.converge import shim
from tests.unit.test_settings import SPLIT, sources

OURS, OTHER = "7714186007099911140", "7714186007099911199"
NOTED = 1000
REFUSES = "a run would make an empty"


def cluster(name: str, system: str = OURS, made: int = NOTED - 5, **more: Any) -> Cluster:
    values = {"data": f"/var/lib/postgresql/{name}", "port": 5432, "runs": True, "started": True, "included": True}
    return Cluster(**{"name": name, "system": system, "made": made, **values, **more})


class Host:
    """What the check asks of a host; ``noted`` is what it foresees."""

    name, connected = "data", True
    inventory: Any

    def __init__(self, *clusters: Cluster, record: Record | None = None, **answers: Any) -> None:
        self.facts: dict[Any, Any] = {
            Clusters: ClustersState(clusters),
            Recorded: record,
            Held: answers.get("held"),
            Database: DatabaseState(asked=True, known=True, exists=answers.get("exists", True)),
            Identity: answers.get("identity", IdentityState()),
            Location: answers.get("location", ""),
            Basics: HostState("bookworm", "Debian 12", "x86_64", True, 8000, 100),
        }
        self.inventory = self
        self.others: list[Host] = answers.get("others", [self])

    def get_fact(self, fact: Any, **_: Any) -> Any:
        return self.facts[fact]

    def get_group(self, name: str, default: Any) -> Any:
        assert name == "postgresql"
        return self.others


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the other database was foreseen to be empty, for each time that one was foreseen."""
    noted: list[bool] = []
    monkeypatch.setattr("operations.ckan_identity.will_be_another", lambda empty: noted.append(empty))
    return noted


def check(host: Host, settings: HostSettings, monkeypatch: pytest.MonkeyPatch, release: str = "bookworm") -> str:
    monkeypatch.setattr(identity, "host", host)
    return identity.another_database(settings, RELEASES[release])


@pytest.fixture
def service(tmp_path: Path) -> Any:
    """Make the settings of PostgreSQL's own host."""
    return lambda **data: settings_of(tmp_path, data)["database"]


@pytest.fixture
def portal(tmp_path: Path) -> Any:
    """Make the settings of the portal, whose database is on that host."""
    return lambda **data: settings_of(tmp_path, data)["data"]


def settings_of(folder: Path, data: dict[str, Any]) -> dict[str, HostSettings]:
    return resolve(sources(SPLIT, data), SecretStore(folder / "secrets", generate=True))


RECORD = Record("/var/lib/postgresql/15/main", OURS, NOTED)
OLD_RECORD = Record("/var/lib/postgresql/15/main", "", NOTED)
RENAMED = (cluster("15/main", OTHER, NOTED + 5), cluster("15/old", OURS, port=5433, runs=False))


@pytest.mark.parametrize("record", [RECORD, OLD_RECORD, None])
@pytest.mark.parametrize("runs", [True, False])
def test_the_same_cluster_goes_on(
    record: Record | None, runs: bool, noted: list[bool], service: Any, monkeypatch: Any
) -> None:
    assert check(Host(cluster("15/main", runs=runs), record=record), service(), monkeypatch) == ""
    assert noted == []


def test_a_moved_data_folder_is_the_same_cluster(noted: list[bool], service: Any, monkeypatch: Any) -> None:
    moved = cluster("15/main", data="/srv/postgresql")
    assert check(Host(moved, record=RECORD), service(), monkeypatch) == ""
    assert noted == []


@pytest.mark.parametrize("record", [RECORD, OLD_RECORD])
@pytest.mark.parametrize("held", [None, (0, 0)])
def test_a_cluster_made_in_place_of_ours_stops(
    record: Record, held: Any, noted: list[bool], service: Any, monkeypatch: Any
) -> None:
    """pg_renamecluster 15 main old; pg_createcluster 15 main"""
    said = check(Host(*RENAMED, record=record, held=held), service(), monkeypatch)
    assert said == (
        f"its PostgreSQL cluster 15/main is number {OTHER}, while that of the last run is 15/old (number {OURS}, "
        "data in /var/lib/postgresql/15/old, does not run): a run would make an empty database; make 15/old 15/main "
        f'again, as docs/upgrading.md has it, or leave it behind with ckan_database_leave_behind = "{OURS}"'
    )
    assert check(Host(*RENAMED, record=record), service(ckan_database_leave_behind=OTHER), monkeypatch) == said
    assert noted == []
    assert check(Host(*RENAMED, record=record), service(ckan_database_leave_behind=OURS), monkeypatch) == ""
    assert noted == [True]


@pytest.mark.parametrize("record", [RECORD, OLD_RECORD])
@pytest.mark.parametrize("made", [True, False])
def test_an_upgraded_distribution_stops(
    record: Record, made: bool, noted: list[bool], service: Any, monkeypatch: Any
) -> None:
    """Whether or not the newer version's package made a cluster."""
    new = [cluster("17/main", OTHER, NOTED + 5, port=5433)] if made else []
    said = check(Host(cluster("15/main"), *new, record=record, held=(0, 0)), service(), monkeypatch, "trixie")
    assert f"17/main is {f'number {OTHER}' if made else 'not there'}, while that of the last run is 15/main" in said
    assert "move its data with `pg_upgradecluster -v 17 15 main`, as docs/upgrading.md has it, or leave" in said


@pytest.mark.parametrize("record", [RECORD, OLD_RECORD])
def test_moved_data_go_on(record: Record, noted: list[bool], service: Any, monkeypatch: Any) -> None:
    """pg_upgradecluster 15 main"""
    clusters = (cluster("15/main", port=5433, runs=False), cluster("17/main", OTHER, NOTED + 5))
    assert check(Host(*clusters, record=record, held=(3, 2)), service(), monkeypatch, "trixie") == ""
    assert noted == [False]


def test_a_cluster_that_is_gone_stops(noted: list[bool], service: Any, monkeypatch: Any) -> None:
    said = check(Host(record=RECORD), service(), monkeypatch)
    assert "15/main is not there, while that of the last run with its data in /var/lib/postgresql/15/main, is" in said
    assert "put that one back from a backup, or leave it behind" in said


def test_a_database_that_was_dropped_stops(noted: list[bool], service: Any, monkeypatch: Any) -> None:
    host = Host(cluster("15/main"), record=RECORD, exists=False)
    assert "the database ckan_default of the last run is no longer in its" in check(host, service(), monkeypatch)
    left = service(ckan_database_leave_behind=f"{OURS}/ckan_default")
    assert (check(host, left, monkeypatch), noted) == ("", [True])


def test_data_on_a_disk_that_is_not_mounted_stop(service: Any, monkeypatch: Any) -> None:
    host = Host(cluster("15/main", "", 0, runs=False))
    assert "is not in /var/lib/postgresql/15/main, where its configuration has it: is a disk not mounted?" in check(
        host, service(), monkeypatch
    )


def test_another_cluster_on_our_port_stops(service: Any, monkeypatch: Any) -> None:
    assert "choose another for CKAN's cluster with postgresql_port" in check(
        Host(cluster("14/main")), service(), monkeypatch
    )
    assert check(Host(cluster("14/main", port=5433)), service(), monkeypatch) == ""
    assert check(Host(cluster("14/main", runs=False)), service(), monkeypatch) == ""


LOCATION = "192.0.2.21:5432/ckan_default"
KNOWN = RecordedDatabase(LOCATION, OURS, 16384, "abc")
SAME = PresentDatabase(OURS, 16384, "abc", kept=True)


@pytest.mark.parametrize(
    ("record", "present", "location", "foreseen"),
    [
        (None, None, "", []),  # a bare host
        (None, SAME, LOCATION, []),  # deployed by an earlier ckan-deploy: the run notes it
        (KNOWN, SAME, LOCATION, []),
        (KNOWN, PresentDatabase(OTHER, 5, "abc", kept=True), LOCATION, [False]),  # all data were moved
        (KNOWN, PresentDatabase(OURS, 5, "abc", kept=True), LOCATION, [False]),  # from a dump
        (KNOWN, PresentDatabase(OTHER, 5, "def", kept=False), "192.0.2.9:5432/ckan_default", []),  # asked elsewhere
    ],
)
def test_what_goes_on_at_the_portal(
    record: Any, present: Any, location: str, foreseen: list[bool], noted: list[bool], portal: Any, monkeypatch: Any
) -> None:
    host = Host(identity=IdentityState(record, present), location=location)
    assert check(host, portal(), monkeypatch) == ""
    assert noted == foreseen


def test_another_database_at_the_same_address_stops(noted: list[bool], portal: Any, monkeypatch: Any) -> None:
    """The host of PostgreSQL was replaced by one with another portal's database."""
    other = PresentDatabase(OTHER, 5, "def", kept=False)
    host = Host(identity=IdentityState(KNOWN, other), location=LOCATION)
    said = check(host, portal(), monkeypatch)
    assert f"the database at {LOCATION} is not that of the last run, and does not hold its data" in said
    assert (OURS in said, OTHER in said, noted) == (True, True, [])
    assert (check(host, portal(ckan_database_leave_behind=OURS), monkeypatch), noted) == ("", [True])


@pytest.mark.parametrize(
    ("there", "problem", "foreseen"),
    [
        (Host(), "database has no PostgreSQL cluster 15/main, while", []),  # a bare host at its address
        (Host(cluster("15/main", OTHER)), f"database has PostgreSQL's cluster 15/main (number {OTHER}", []),
        (Host(cluster("15/main", OTHER), held=(2, 2)), "", [False]),
        (Host(cluster("15/main")), "", []),  # it only has to be started, or its role repaired
    ],
)
def test_where_the_role_gets_no_answer_its_host_is_asked(
    there: Host, problem: str, foreseen: list[bool], noted: list[bool], portal: Any, monkeypatch: Any
) -> None:
    there.name = "database"
    host = Host(identity=IdentityState(KNOWN), location=LOCATION, others=[there])
    said = check(host, portal(), monkeypatch)
    assert said.startswith(problem) if problem else said == ""
    assert (REFUSES in said) == bool(problem)
    assert noted == foreseen
    there.connected = False  # --limit: nothing is made there
    assert check(host, portal(), monkeypatch) == ""
    there.connected = True


PSYCOPG2 = """
import json, os
def connect(dsn, connect_timeout):
    return Connection(json.load(open(os.environ["FOLDER"] + "/answers.json")))
class Connection:
    def __init__(self, found): self.found = found
    def cursor(self): return self
    def execute(self, query, arguments=()):
        users = self.found["users"]
        if "pg_control_system" in query: self.row = (self.found["system"],)
        elif "pg_database" in query: self.row = (self.found["database"],)
        elif "to_regclass" in query: self.row = (None if users is None else "user",)
        elif "count(*)" in query: self.row = (users.count(arguments[0]),)
        else: self.row = (users[0],) if users else None
    def fetchone(self): return self.row
"""


def test_the_identity_of_a_database(tmp_path: Path) -> None:
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "psycopg2.py").write_text(PSYCOPG2)
    python = tmp_path / "env/bin/python"
    python.write_text(f'#!/bin/sh\nshift\nexec env PYTHONPATH={tmp_path} FOLDER={tmp_path} {sys.executable} "$@"\n')
    python.chmod(0o755)
    (tmp_path / "ckan.ini").write_text("[app:main]\nsqlalchemy.url = postgresql://u:p@db/x\n")
    record = tmp_path / "record"

    def read(env: str = "env", **answer: Any) -> IdentityState:
        (tmp_path / "answers.json").write_text(json.dumps(answer))
        fact: Any = Identity()
        arguments = {"path": str(tmp_path / env), "ini": str(tmp_path / "ckan.ini"), "record": str(record)}
        command = fact.command(**arguments).get_raw_value()
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        return fact.process(done.stdout.splitlines())  # type: ignore[no-any-return]

    there: dict[str, Any] = {"system": OURS, "database": 16384, "users": ["abc", "xyz"]}
    assert read(**there) == IdentityState(None, PresentDatabase(OURS, 16384, "abc", kept=True))
    record.write_text(f"db:5432/x {OURS} 16384 xyz\n")
    record.chmod(0o600)
    known = RecordedDatabase("db:5432/x", OURS, 16384, "xyz")
    assert read(**there) == IdentityState(known, PresentDatabase(OURS, 16384, "abc", kept=True))
    assert not read(**there).another
    for other, kept in ({"system": OTHER}, True), ({"database": 5}, True), ({"database": 5, "users": ["def"]}, False):
        found = read(**{**there, **other})
        assert found.another and found.present and found.present.kept == kept
    nobody: list[Any] = [[], None]
    for users in nobody:
        assert read(**{**there, "users": users}).present == PresentDatabase(OURS, 16384, "", kept=False)
    assert read(env="none", **there) == IdentityState(known)
    record.write_text(record.read_text() + "# drift\n")
    assert read(**there).recorded is None


def test_the_record_of_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stamp = tmp_path / "stamp"
    monkeypatch.setattr(facts_of_cluster, "stamp_path", lambda kind, name: str(stamp))

    def read() -> Record | None:
        fact: Any = Recorded()
        command = fact.command(database="x").get_raw_value()
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        return fact.process(done.stdout.splitlines()) if done.stdout else None

    assert read() is None
    stamp.write_text("/var/lib/postgresql/15/main\n")
    stamp.chmod(0o644)
    noted = int(stamp.stat().st_mtime)
    assert read() == Record("/var/lib/postgresql/15/main", "", noted)
    stamp.write_text(f"/var/lib/postgresql/15/main\n{OURS}\n")
    assert read() == Record("/var/lib/postgresql/15/main", OURS, noted)
    stamp.chmod(0o666)
    assert read() is None


@pytest.mark.parametrize(
    ("psql", "held"),
    [
        ("echo '3 2'", (3, 2)),
        ("echo 'psql: error: FATAL:  database \"x\" does not exist'; exit 2", (0, 0)),
        ("echo 'psql: error: could not connect'; exit 2", None),
    ],
)
def test_what_a_database_holds(psql: str, held: Any, shims: Path) -> None:
    shim(shims, "runuser", psql)
    fact: Any = Held()
    command = fact.command(database="x", port=5432).get_raw_value()
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (fact.process(done.stdout.splitlines()) if done.stdout else None) == held
