"""PostgreSQL's facts, operations, templates and settings."""

import os
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pyinfra.api import FactProcessError, OperationError
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state
from pyinfra_testing.util import FakeState, create_host

import operations.postgresql
from deploys.postgresql import _network
from facts.postgresql import _SCRIPT as SCRIPT
from facts.postgresql import Database, DatabaseState, Role, RoleState
from operations.text import render
from settings.postgresql import PostgresqlSettings
from settings.secret import Secret
from tests.unit.generated import seams


def hidden(text: str) -> Secret:
    return Secret(text)


@pytest.fixture(autouse=True)
def _seams(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As in the data files: constant scripts by name, a salt that is known; standard input as a string."""
    monkeypatch.setattr("operations.files.StringIO", str)
    with seams("postgresql"):
        yield


def run(operation: Any, stage: StateStage, answers: dict[str, Any], **arguments: Any) -> list[Any]:
    state = FakeState()
    state.current_stage = stage
    host = create_host(state, facts=answers)
    with ctx_state.use(state), ctx_host.use(host):
        return list(operation._inner(**arguments))


SQL_ASCII = {
    "postgresql.Database": {
        "database=portal, port=5432": {
            "asked": True,
            "known": True,
            "stamped": False,
            "error": "",
            "exists": True,
            "owner": "ckan",
            "encoding": "SQL_ASCII",
        }
    }
}
GONE = {"asked": False, "known": True, "stamped": True, "error": "psql: error: gone", "exists": False}


@pytest.mark.parametrize(
    ("noted", "counts"),
    [
        ("{data}\n7\n", True),
        ("{data}\n8\n", False),
        ("{data}\n", False),
        ("/x\n7\n", False),
        ("{data}\n7\n#\n", False),
    ],
)
def test_a_stamp_counts_for_the_cluster_that_it_names(noted: str, counts: bool, tmp_path: Path) -> None:
    """By its number: times do not matter, and a stamp of an earlier ckan-deploy, which has none, is renewed."""
    stamp, control = tmp_path / "stamp", tmp_path / "data/global/pg_control"
    control.parent.mkdir(parents=True)
    control.write_bytes(struct.pack("=Q", 7) + bytes(100))
    stamp.write_text(noted.format(data=tmp_path / "data"))
    stamp.chmod(0o644)
    os.utime(stamp, (1000, 1000))
    command = ["sh", "-c", SCRIPT, "test", "1", str(stamp), "SELECT 1;"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert ("stamped" in done.stdout.splitlines()) == counts


def test_another_encoding_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(OperationError, match=r'is encoded in SQL_ASCII.*dump it.*RENAME TO "portal_old"'):
        run(operations.postgresql.database, StateStage.Execute, SQL_ASCII, database="portal", owner="ckan")


def test_another_encoding_is_a_warning_in_the_plan(caplog: pytest.LogCaptureFixture) -> None:
    planned = run(operations.postgresql.database, StateStage.Prepare, SQL_ASCII, database="portal", owner="ckan")
    assert len(planned) == 1
    assert "is encoded in SQL_ASCII" in caplog.text


@pytest.mark.parametrize("stage", [StateStage.Prepare, StateStage.Execute])
def test_a_server_that_does_not_answer_is_an_error_in_execution_only(stage: StateStage) -> None:
    answers = {"postgresql.Role": {"port=5432, role=ckan": {**GONE, "attributes": [], "password": None}}}
    arguments = {"role": "ckan", "password": hidden("pencil"), "port": 5432}
    if stage == StateStage.Prepare:
        assert run(operations.postgresql.role, stage, answers, **arguments)
    else:
        with pytest.raises(OperationError, match="does not answer on port 5432 of this host: psql: error: gone"):
            run(operations.postgresql.role, stage, answers, **arguments)


def test_nothing_shows_the_password_or_the_keys() -> None:
    answers = {"postgresql.Role": {"port=5432, role=ckan": {**GONE, "attributes": [], "password": None}}}
    password = hidden("pencil")
    (command,) = run(operations.postgresql.role, StateStage.Prepare, answers, role="ckan", password=password)
    sent = command.connector_arguments["_stdin"]
    assert "pencil" not in sent
    assert "SCRAM-SHA-256$4096:" in sent
    assert "SCRAM" not in command.get_raw_value()


def test_hosts_without_postgresql() -> None:
    assert Role.default() == RoleState()
    assert Database.default() == DatabaseState()


@pytest.mark.parametrize("fact", [Role(), Database()])
@pytest.mark.parametrize(
    "output", [["answer"], ["answer {}"], ["answer [1]"], ["sh: 1: what?"], ['answer {"password": 1']]
)
def test_output_that_is_not_understood_is_shown(fact: Role | Database, output: list[str]) -> None:
    with pytest.raises(FactProcessError, match="psql printed what is not understood") as caught:
        fact.process(output)
    assert output[0] in str(caught.value) or repr(output[0]) in str(caught.value)


def settings(**changes: Any) -> PostgresqlSettings:
    values: dict[str, Any] = {"password": hidden("pencil"), "bind": ("127.0.0.1", "192.0.2.1"), "clients": ()}
    return PostgresqlSettings(**{**values, "leave_behind": "", "tests": False, **changes})


def test_configuration() -> None:
    text = render("postgresql/ckan-deploy.conf.j2", settings(port=5433)).secret
    assert "listen_addresses = '127.0.0.1, 192.0.2.1'\nport = 5433\n" in text
    assert "password_encryption = 'scram-sha-256'\n" in text
    assert "pencil" not in text


def test_who_may_connect() -> None:
    networks = [_network(address) for address in ("127.0.0.1", "::1", "192.0.2.7", "2001:db8::7", "ckan.example.org")]
    text = render("postgresql/pg_hba.conf.j2", settings(role="all"), networks=networks).secret
    assert [line.split() for line in text.splitlines() if line and not line.startswith("#")] == [
        ["local", "all", "postgres", "peer"],
        ["local", "all", "all", "peer"],
        *(
            ["host", '"ckan_default"', '"all"', network, "scram-sha-256"]
            for network in ("127.0.0.1/32", "::1/128", "192.0.2.7/32", "2001:db8::7/128", "ckan.example.org")
        ),
    ]


def test_on_a_development_host_the_tests_have_a_database() -> None:
    text = render("postgresql/pg_hba.conf.j2", settings(tests=True), networks=["127.0.0.1/32"]).secret
    assert text.endswith('\nhost  "ckan_default","ckan_default_test"  "ckan_default"  127.0.0.1/32  scram-sha-256\n')


def test_settings_refuse_a_password_that_cannot_be_used_without_showing_it() -> None:
    with pytest.raises(ValidationError, match="letters, digits and") as caught:
        settings(password=hidden("pässword"))
    assert "pässword" not in str(caught.value)
