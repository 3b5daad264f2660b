"""What operations say of their changes: versions by name, and the services that restart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state

from facts.supervisor import ProcessState, Programs, ProgramsState
from facts.systemd import Unit, UnitState
from operations import announce, files, python, service, supervisor
from pyinfra_adapter import told
from tests.unit.converge import apply

Said = list[str]


class Host:
    """A host that answers facts as it is told to, and keeps what operations say."""

    def __init__(self, facts: dict[type, Any]) -> None:
        self.name = "portal"
        self.connector_data: dict[str, Any] = {}
        self.said: Said = []
        self._facts = facts

    def get_fact(self, fact: type, **arguments: Any) -> Any:
        return self._facts[fact]

    def log(self, text: str) -> None:
        self.said.append(text)

    noop = log


@pytest.fixture
def diff() -> bool:
    return False


@pytest.fixture
def told_by(diff: bool) -> Iterator[Any]:
    state = SimpleNamespace(current_stage=StateStage.Prepare, config=SimpleNamespace(DIFF=diff))

    def run(operation: Any, facts: dict[type, Any], **arguments: Any) -> Host:
        host = Host(facts)
        with ctx_state.use(state), ctx_host.use(host):
            for _ in operation._inner(**arguments):
                pass
        return host

    yield run


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ({"ckan": "2.11.6", "a": "1", "b": "1", "c": "1"}, {"ckan": "2.11.5", "a": "2", "b": "2", "c": "2"},
         "ckan 2.11.6 → 2.11.5 and 3 packages"),
        ({"ckan": "2.11.6", "a": "1"}, {"ckan": "2.11.5", "a": "2"}, "ckan 2.11.6 → 2.11.5 and 1 package"),
        ({"ckan": "2.11.6", "z": "1"}, {"ckan": "2.11.5", "z": "1"}, "ckan 2.11.6 → 2.11.5"),
        ({"ckan": "2", "a": "1", "b": "1"}, {"ckan": "2", "b": "2", "c": "1"}, "a 1 removed, b 1 → 2 and c 1"),
        ({"ckan": "2", **dict.fromkeys("abcde", "1")}, {"ckan": "2", **dict.fromkeys("abcde", "2")},
         "a 1 → 2, b 1 → 2, c 1 → 2 and 2 packages"),
        ({}, {"ckan": "2.11.6", "a": "1", "b": "1"}, "ckan 2.11.6 and 2 packages"),
        ({}, {"minio": "7"}, "minio 7"),
        ({"ckan": "2"}, {"ckan": "2"}, None),
    ],
)  # fmt: skip
@pytest.mark.parametrize("diff", [True, False])
def test_versions(before: dict[str, str], after: dict[str, str], says: str | None, diff: bool) -> None:
    host: Any = Host({})
    state: Any = SimpleNamespace(config=SimpleNamespace(DIFF=diff))
    with ctx_state.use(state), ctx_host.use(host):
        announce.versions(before, after, "ckan")
    assert host.said[:1] == ([says] if says else [])
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert {line.partition(" ")[0] for line in host.said[1:]} == (changed if diff else set())


def test_an_environment_that_is_built_anew_names_its_versions(told_by: Any) -> None:
    from facts.python import Environment, EnvironmentState

    lock = "ckan==2.11.5 --hash=sha256:1\nflask==3.0 --hash=sha256:1\n"
    current = EnvironmentState(slot="a", packages={"ckan": "2.11.6", "flask": "2.9"})
    host = told_by(python.environment, {Environment: current}, path="/e", lock=lock)
    assert host.said == ["ckan 2.11.6 → 2.11.5 and 1 package"]


@pytest.mark.parametrize(
    ("unit", "active", "restarted"),
    [
        ("postgresql@15-main.service", "active", ["PostgreSQL"]),
        ("nginx.service", "active", ["nginx"]),
        ("redis-server.service", "inactive", []),
        ("ckan-report.timer", "active", []),
    ],
)
def test_a_unit_that_runs_restarts(unit: str, active: str, restarted: Said, told_by: Any) -> None:
    current = UnitState(load="loaded", active=active, enabled="enabled", needs_daemon_reload=True)
    assert told.restarted(told_by(service.follow, {Unit: current}, unit=unit)) == restarted


def test_programs_that_run_restart(told_by: Any) -> None:
    for state, started, restarted in (("RUNNING", 1.0, ["CKAN"]), ("RUNNING", 9.0, []), ("FATAL", None, [])):
        process = ProcessState("ckan-uwsgi", "ckan-uwsgi", state, 1, started)
        current = ProgramsState(True, (process,), 5.0, {})
        host = told_by(supervisor.follow, {Programs: current}, programs=["ckan-uwsgi"])
        assert told.restarted(host) == restarted, state
    nothing = ProgramsState(True, (), 5.0, {})
    assert told.restarted(told_by(supervisor.follow, {Programs: nothing}, programs=["ckan-worker"])) == []


def test_a_link_says_from_what_to_what(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "solr"
    with caplog.at_level("INFO"):
        apply(files.link, path=str(path), target="/opt/solr-9.8.1")
        apply(files.link, path=str(path), target="/opt/solr-9.9.0")
    said = [record.getMessage() for record in caplog.records if "→" in record.getMessage()]
    assert said and all(text.endswith("solr-9.8.1 → solr-9.9.0") for text in said)
