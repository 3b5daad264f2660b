"""The smoke test's verdict on programs of supervisor."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state
from pyinfra_testing.util import FakeState, create_host

from operations import smoke


def output(*states: str, program: str = "one") -> list[str]:
    processes = [
        {"program": program, "name": f"{program}-{number:02}", "state": state, "pid": 1, "started": 1.0}
        for number, state in enumerate(states)
    ]
    return [json.dumps({"running": True, "processes": processes, "newest": None, "configured": {}, "ahead": []})]


def run(*looks: list[str], stage: StateStage = StateStage.Execute, timeout: float = 10) -> tuple[list[Any], str, int]:
    """Run the operation on a host where supervisor says LOOKS, the last one from then on."""
    state = FakeState()
    state.current_stage = stage
    host = create_host(state)
    asked: list[Any] = []

    def shell(command: Any, **arguments: Any) -> tuple[bool, Any]:
        asked.append(command)
        return True, SimpleNamespace(stdout_lines=looks[min(len(asked), len(looks)) - 1], stderr="")

    host.run_shell_command = shell
    with ctx_state.use(state), ctx_host.use(host):
        commands = list(
            smoke.programs._inner(programs=["one"], logs="/var/log/ckan-programs", timeout=timeout, poll=0.01)
        )
    return commands, host.noop_description or "", len(asked)


def test_programs_that_run_are_no_change() -> None:
    assert run(output("RUNNING", "RUNNING")) == ([], "all programs run", 1)


def test_they_are_not_asked_while_the_run_is_planned() -> None:
    assert run(output("FATAL"), stage=StateStage.Prepare)[::2] == ([], 0)


def test_those_that_start_are_waited_for() -> None:
    assert run(output("STARTING"), output("RUNNING", "STARTING"), output("RUNNING", "RUNNING")) == (
        [],
        "all programs run",
        3,
    )


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (output("RUNNING", "BACKOFF"), "one: one-00 is RUNNING, one-01 is BACKOFF, see /var/log/ckan-programs/one.log"),
        (output("STARTING"), "one: one-00 is STARTING"),
        (output("RUNNING", program="other"), "one: not there, see /var/log/ckan-programs/one.log"),
    ],
)
def test_what_never_runs_is_said(said: list[str], words: str) -> None:
    (command,), _, asked = run(said, timeout=0.05)
    assert asked > 1
    assert f"not running after 0 seconds: {words}" in str(command) and "exit 1" in str(command)


def test_what_supervisor_gave_up_is_not_waited_for() -> None:
    (command,), _, asked = run(output("RUNNING", "FATAL"))
    assert asked == 1
    assert "one-01 is FATAL" in str(command)
