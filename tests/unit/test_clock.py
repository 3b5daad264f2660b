"""What is said of clocks that differ, and of files from the future; and that a service is not started for them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import ctx_host, ctx_state
from pyinfra_testing.util import FakeState, create_host

from deploys.preflight import preflight
from facts.clock import Clock, ClockState
from facts.supervisor import ProcessState, ProgramsState
from facts.systemd import UnitState
from operations import clock, service, supervisor


def said(caplog: pytest.LogCaptureFixture, seconds: float) -> list[str]:
    fake = FakeState()
    host = create_host(fake, facts={"clock.Clock": ClockState(seconds)})
    host.name = "portal"
    with ctx_state.use(fake), ctx_host.use(host):
        for _ in range(2):
            clock.say_if_off()
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("seconds", [0.0, 60.0, -60.0])
def test_a_slow_answer_is_no_wrong_clock(seconds: float, caplog: pytest.LogCaptureFixture) -> None:
    assert said(caplog, seconds) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (61.0, "61 seconds ahead of this machine's"),
        (-900.0, "15 minutes behind this machine's"),
        (7260.0, "2 hours ahead of this machine's"),
        (-40 * 86400.0, "40 days behind this machine's"),
    ],
)
def test_a_clock_that_is_off_is_said_once(seconds: float, words: str, caplog: pytest.LogCaptureFixture) -> None:
    (sentence,) = said(caplog, seconds)
    assert sentence.startswith(f"the clock of portal is {words}: set the wrong one right (`timedatectl`)")


def test_a_host_says_its_time() -> None:
    def ask(environment: dict[str, str]) -> float:
        command = ["sh", "-c", Clock().command()]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        return Clock().process(done.stdout.splitlines()).ahead

    assert ask(dict(os.environ)) == pytest.approx(0, abs=30)
    assert ask({**os.environ, "TZ": "Asia/Tokyo", "LC_ALL": "de_DE.UTF-8"}) == pytest.approx(0, abs=30)


@pytest.fixture
def host(caplog: pytest.LogCaptureFixture) -> Iterator[Any]:
    """A host whose services have run since 1000, with nothing newer that counts, and two files from the future."""
    fake = FakeState()
    process = ProcessState("ckan", "ckan-00", "RUNNING", 1, 1000.0)
    ahead = ("/etc/a", "/etc/b")
    facts = {
        "systemd.Unit": {
            "reads=('/etc',), unit=x.service": UnitState("loaded", "active", "enabled", started=1000.0, ahead=ahead)
        },
        "supervisor.Programs": {
            "programs=('ckan',), reads=('/etc',)": ProgramsState(True, (process,), None, {"ckan": 1.0}, ahead[:1])
        },
    }
    found = create_host(fake, facts=facts)
    found.name = "portal"
    with ctx_state.use(fake), ctx_host.use(found):
        yield found


def test_a_file_from_the_future_starts_nothing_and_is_named_once(host: Any, caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert list(service.follow._inner(unit="x.service", reads=["/etc"])) == []
        assert list(supervisor.follow._inner(programs=["ckan"], reads=["/etc"])) == []
    unit, program = (record.getMessage() for record in caplog.records)
    assert unit.startswith("/etc/a, /etc/b have times in the future, which do not count as a change: x.service may run")
    assert program.startswith("/etc/a has a time in the future, which does not count as a change: ckan may run with")
    assert program.endswith("`touch` it on portal, and run again")


def test_the_clock_is_said_before_what_else_is_wrong(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    class Host:
        name, print_prefix, connector = "portal", "", None
        connector_data: ClassVar[dict[str, Any]] = {}

        def get_fact(self, fact: Any, **_: Any) -> Any:
            return ClockState(-900.0) if fact is Clock else None

    for module in ("deploys.preflight", "operations.clock", "operations.saying"):
        monkeypatch.setattr(f"{module}.host", Host())
    with pytest.raises(PyinfraError, match="its operating system cannot be told"):
        preflight(None)  # type: ignore[arg-type]
    assert [r.getMessage()[:41] for r in caplog.records] == ["the clock of portal is 15 minutes behind "]
