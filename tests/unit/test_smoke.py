"""The smoke test's verdicts."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api import OperationError
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state
from pyinfra_testing.util import FakeState, create_host

from facts.http import Answer, Answers
from operations import smoke
from tests.unit.generated import seams

GOOD = (
    '{"success": true, "result": {"ckan_version": "2.11.6"}}',
    '{"success": true, "result": {"count": 0, "results": []}}',
)


@pytest.fixture(autouse=True)
def _seams() -> Iterator[None]:
    with seams("http"):
        yield


def answers(status: dict[str, Any] | None = None, search: dict[str, Any] | None = None) -> tuple[Answer, Answer]:
    made = []
    for url, body, changes in zip(("https://p/status", "https://p/search"), GOOD, (status, search), strict=True):
        made.append(Answer(**{"url": url, "status": 200, "code": 0, "error": "", "body": body, **(changes or {})}))
    return made[0], made[1]


@pytest.mark.parametrize("version", ["2.11.6", None])
def test_a_good_portal_is_well(version: str | None) -> None:
    assert smoke.trouble(answers(), version) is None


def test_a_hidden_version_is_no_trouble_where_none_is_wanted() -> None:
    hidden = {"body": '{"success": true, "result": {}}'}
    assert smoke.trouble(answers(hidden), None) is None
    assert "says CKAN (hidden), but 2.11.6" in str(smoke.trouble(answers(hidden), "2.11.6"))


@pytest.mark.parametrize(
    ("status", "search", "words"),
    [
        ({"code": 7, "status": 0, "error": "refused"}, {}, "refuses connections (refused): nginx does not run; see /v"),
        ({"code": 60, "status": 0, "error": "self-signed"}, {}, "shows another certificate than it should"),
        (
            {"code": 28, "status": 0, "error": "timed out"},
            {},
            "does not answer (timed out); see /var/log/ckan-programs/",
        ),
        ({"code": 52, "status": 0, "error": "Empty"}, {}, "no whole answer (curl 52: Empty); see /var/log/nginx/error"),
        (
            {"status": 502, "body": "<html>"},
            {},
            "HTTP 502: nginx runs, but uWSGI does not answer it; see /var/log/ckan-programs",
        ),
        (
            {"status": 500, "body": "<html>"},
            {},
            "answers HTTP 500, not CKAN's status; see /var/log/ckan-programs/",
        ),
        ({"status": 200, "body": "<html>"}, {}, "answers HTTP 200, not CKAN's status"),
        ({"body": '{"success": false, "result": {}}'}, {}, "not CKAN's status"),
        ({"body": "[]"}, {}, "not CKAN's status"),
        ({"body": GOOD[0].replace("11.6", "11.5")}, {}, "says CKAN 2.11.5, but 2.11.6 was installed"),
        ({}, {"status": 409, "body": '{"success": false}'}, "the search is broken: https://p/search answers HTTP 409"),
        ({}, {"status": 200, "body": '{"success": true, "result": {}}'}, "`journalctl -u solr` on solr-1 and /var/log"),
        ({}, {"code": 28, "status": 0, "error": "timed out"}, "https://p/search does not answer"),
    ],
)
def test_trouble_is_one_sentence_with_its_log(status: dict[str, Any], search: dict[str, Any], words: str) -> None:
    problem = smoke.trouble(answers(status, search), "2.11.6", "solr-1")
    assert problem is not None and words in problem and "\n" not in problem
    assert "/var/log/" in problem


def run(stage: StateStage, *attempts: tuple[bool, list[str]], timeout: float = 10) -> tuple[list[Any], str, int]:
    """Run the operation against a host whose curl answers ATTEMPTS, the last one from then on."""
    state = FakeState()
    state.current_stage = stage
    host = create_host(state)
    asked: list[Any] = []

    def shell(command: Any, **arguments: Any) -> tuple[bool, Any]:
        asked.append(command)
        succeeded, lines = attempts[min(len(asked), len(attempts)) - 1]
        return succeeded, SimpleNamespace(stdout_lines=lines, stderr="sudo: a password is required")

    host.run_shell_command = shell
    with ctx_state.use(state), ctx_host.use(host):
        commands = list(
            smoke.portal._inner(fqdn="p.org", certificate="/c", version="2.11.6", timeout=timeout, poll=0.01)
        )
    return commands, host.noop_description or "", len(asked)


def lines(code: int = 0) -> list[str]:
    status = f"{0 if code else 200} {code} {'refused' if code else ''}"
    return [
        line
        for path, body in zip((smoke.STATUS, smoke.SEARCH), GOOD, strict=True)
        for line in (f"https://p.org{path}", status, body)
    ]


def test_nothing_is_asked_while_the_run_is_planned() -> None:
    assert run(StateStage.Prepare, (True, lines())) == ([], "the portal is asked once all is in place", 0)


def test_it_is_no_change() -> None:
    assert run(StateStage.Execute, (True, lines())) == ([], "the portal is well", 1)


def test_it_waits_until_the_portal_is_well() -> None:
    assert run(StateStage.Execute, (True, lines(7)), (True, lines(7)), (True, lines()))[0] == []


def test_it_fails_with_a_sentence_when_time_is_over() -> None:
    (command,), _, asked = run(StateStage.Execute, (True, lines(7)), timeout=0.05)
    assert asked > 1
    assert "not well after 0 seconds: https://p.org/api/3/action/status_show refuses connections" in str(command)
    assert "like this since 20" in str(command) and "exit 1" in str(command)


def test_a_host_that_cannot_be_asked_is_an_error() -> None:
    with pytest.raises(OperationError, match="cannot be asked: sudo: a password is required"):
        run(StateStage.Execute, (False, []))


def test_garbage_is_an_error_that_shows_it() -> None:
    for output in (["https://p.org/", "200 0 "], ["https://p.org/", "what", ""]):
        with pytest.raises(FactProcessError, match=r"https://p\.org/"):
            Answers().process(output)
