"""Ask the portal whether it is well, once everything has been changed."""

from __future__ import annotations

import json
import time
from collections.abc import Generator, Sequence
from datetime import UTC, datetime
from typing import Any

from pyinfra import host
from pyinfra.api import OperationError, StringCommand, operation
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS

from facts.http import Answer, Answers
from facts.supervisor import Programs
from operations import foresight
from operations.files import script
from pyinfra_adapter import told

STATUS = "/api/3/action/status_show"
SEARCH = "/api/3/action/package_search?rows=0"
_NGINX_LOG = "/var/log/nginx/error.log"
_CKAN_LOG = "/var/log/ckan-programs/ckan-uwsgi.log"
_CANNOT_CONNECT, _TOO_SLOW, _CERTIFICATE = (6, 7), 28, (35, 51, 58, 60, 77)  # curl's exit statuses


@operation()
def portal(
    fqdn: str,
    certificate: str,
    version: str | None = None,
    address: str = "127.0.0.1",
    solr: str = "this host",
    timeout: float = 180,
    poll: float = 2,
) -> Generator[StringCommand, None, None]:
    """Wait until the portal answers as it should; never a change.

    + fqdn: its name; the request comes from the host itself, so DNS and firewalls play no part
    + certificate: PEM file on the host that the portal's must be, or be issued by
    + version: CKAN's version; None where it is not to be compared (``ckan.hide_version``)
    + address: IP address on which nginx listens
    + solr: which host has Solr, for the message
    + timeout: longest wait, seconds
    + poll: pause between two attempts, seconds

    Only evaluated while commands are run: before that, there is nothing to ask. When the portal is not well, the
    operation fails with a sentence that says what is wrong, since when, and which log has more.
    """
    if foresight.preparing():
        host.noop("the portal is asked once all is in place")
        return
    problem = _wait(f"https://{fqdn}", certificate, version, address, solr, timeout, poll)
    if problem:
        # A command that fails, not an exception: that would show a traceback and stop the other hosts' operations.
        yield script('printf "%s\\n" "$1" >&2; exit 1', problem)
        return
    told.answers(f"https://{fqdn} answers{f', CKAN {version}' if version else ''}")
    host.noop("the portal is well")


@operation()
def programs(
    programs: Sequence[str], logs: str, timeout: float = 60, poll: float = 1
) -> Generator[StringCommand, None, None]:
    """Wait until all processes of supervisor's programs run, past the time that they must to count; never a change.

    + programs: their names
    + logs: folder of their logs, for the message
    + timeout: longest wait, seconds; one that ends again and again never gets there
    + poll: pause between two looks, seconds
    """
    if foresight.preparing() or not programs:
        host.noop("programs are looked at once all is in place")
        return
    began = time.monotonic()
    while True:
        current = _read(Programs(), programs=tuple(programs), reads=())
        states = {program: {p.name: p.state for p in current.of(program)} for program in programs}
        down = [program for program, found in states.items() if set(found.values()) != {"RUNNING"}]
        if not down:
            host.noop("all programs run")
            return
        given_up = any("FATAL" in states[program].values() for program in down)  # by supervisor
        if given_up or time.monotonic() - began >= timeout:
            break
        time.sleep(poll)
    said = "; ".join(
        f"{program}: {', '.join(f'{name} is {state}' for name, state in states[program].items()) or 'not there'}, see "
        f"{logs}/{program}.log"
        for program in down
    )
    yield script('printf "%s\\n" "$1" >&2; exit 1', f"not running after {time.monotonic() - began:.0f} seconds: {said}")


def trouble(answers: Sequence[Answer], version: str | None, solr: str = "this host") -> str | None:
    """Say what is wrong with the ANSWERS to STATUS and SEARCH and where to look; None when nothing is."""
    status, search = answers
    if problem := _unreachable(status):
        return problem
    said = _result(status.body)
    if status.status != 200 or said is None:
        return f"{status.url} answers HTTP {status.status}, not CKAN's status; see {_CKAN_LOG}"
    if version is not None and said.get("ckan_version") != version:
        return (
            f"{status.url} says CKAN {said.get('ckan_version', '(hidden)')}, but {version} was installed: uWSGI still "
            f"runs another one (or ckan.hide_version is set); see {_CKAN_LOG}"
        )
    if problem := _unreachable(search):
        return problem
    found = _result(search.body)
    if search.status != 200 or found is None or "count" not in found:
        return (
            f"the search is broken: {search.url} answers HTTP {search.status}; see `journalctl -u solr` on {solr} "
            f"and {_CKAN_LOG}"
        )
    return None


def _wait(
    url: str, certificate: str, version: str | None, address: str, solr: str, timeout: float, poll: float
) -> str | None:
    """Ask until the portal is well or TIMEOUT is over; return what is wrong then."""
    began = time.monotonic()
    problem, since = "", datetime.now(UTC)
    while True:
        current = trouble(_ask((url + STATUS, url + SEARCH), address, certificate), version, solr)
        if current is None:
            return None
        if current != problem:
            problem, since = current, datetime.now(UTC)
        if time.monotonic() - began >= timeout:
            return (
                f"the portal is not well after {timeout:.0f} seconds: {problem} "
                f"(like this since {since:%Y-%m-%d %H:%M:%S} UTC)"
            )
        time.sleep(poll)


def _ask(urls: tuple[str, ...], address: str, certificate: str) -> tuple[Answer, ...]:
    answers: tuple[Answer, ...] = _read(Answers(), urls=urls, address=address, certificate=certificate)
    return answers


def _read(fact: Any, **arguments: Any) -> Any:
    """Read FACT now, not from what was read before all was changed."""
    given: dict[str, Any] = dict(host.current_op_global_arguments or {})
    connector = {key: value for key, value in given.items() if key in CONNECTOR_ARGUMENT_KEYS}
    succeeded, output = host.run_shell_command(fact.command(**arguments), **connector)
    if not succeeded:
        raise OperationError(f"{host.name}: the portal cannot be asked: {output.stderr.strip() or 'no output'}")
    return fact.process(output.stdout_lines)


def _unreachable(answer: Answer) -> str | None:
    """Say why no whole answer came, or one that nginx made because CKAN gave none."""
    if answer.code in _CANNOT_CONNECT:
        return f"{answer.url} refuses connections ({answer.error}): nginx does not run; see {_NGINX_LOG}"
    if answer.code in _CERTIFICATE:
        return f"{answer.url} shows another certificate than it should ({answer.error}); see {_NGINX_LOG}"
    if answer.code == _TOO_SLOW:
        return f"{answer.url} does not answer ({answer.error}); see {_CKAN_LOG}"
    if answer.code:
        return f"{answer.url} gives no whole answer (curl {answer.code}: {answer.error}); see {_NGINX_LOG}"
    if answer.status in (502, 504):
        return f"{answer.url} answers HTTP {answer.status}: nginx runs, but uWSGI does not answer it; see {_CKAN_LOG}"
    return None


def _result(body: str) -> dict[str, Any] | None:
    """Return what a CKAN action answered; None where it is no success."""
    try:
        answer = json.loads(body)
    except ValueError:
        return None
    if not isinstance(answer, dict) or answer.get("success") is not True or not isinstance(answer.get("result"), dict):
        return None
    return dict(answer["result"])
