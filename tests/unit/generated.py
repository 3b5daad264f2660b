"""Tests of facts and operations from data files, through pyinfra-testing.

Each folder below ``fixtures/facts`` and ``fixtures/operations`` is of the fact or operation whose name it has, and is
found by that: ``paths``. What is added to the format, for operations:

- facts are validated into the fact's own type, so that they compare like the real ones; ``secret:…`` is a secret
- ``foreseen``: notes of earlier operations, by kind (path, package, unit), the earliest kind first; ``notes``: all
  notes afterwards
- ``stage: Execute``: the operation is evaluated as during execution (default: Prepare)
- a command may be written ``{script: operations.service._RESTART, arguments: […]}``, with ``stdin``, if any;
  ``python:`` instead of ``script:`` for Python code, with ``isolated: true`` for ``python3 -I``; or
  ``{command: …, _stdin: …}``
- what the fixtures of a folder share stands in ``FOLDER.yaml`` beside it: ``kwargs``, unless a fixture names others;
  ``states``, of which a fact's may be ``{like: NAME, …}``; ``texts``, for ``_stdin: {text: NAME}``

For facts: ``exception``: text that the message of the ``FactProcessError`` must hold.

Long constants are replaced by a word, and what is not known by something that is, for the modules of ``SEAMS``.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from importlib import import_module
from inspect import signature
from io import StringIO
from pathlib import Path
from typing import Any, get_type_hints
from unittest import TestCase
from unittest.mock import patch

import pytest
import yaml
from pydantic import TypeAdapter
from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.state import StateStage
from pyinfra_testing import operations as testing
from pyinfra_testing.facts import make_fact_tests
from pyinfra_testing.operations import make_operation_tests
from pyinfra_testing.util import FakeHost, FakeState, get_command_string, parse_value

from operations.files import script
from operations.foresight import _KEY
from settings.secret import Secret

FIXTURES = Path(__file__).resolve().parent / "fixtures"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
SEAMS: dict[str, dict[str, Any]] = {
    "certificate": {
        "facts.certificate._CERTIFICATE": "SCRIPT",
        "facts.certificate._PUBLIC_KEY": "SCRIPT",
        "operations.certificate._MAKE_KEY": "KEY",
        "operations.certificate._MAKE_CERTIFICATE": "CERTIFICATE",
        "operations.certificate._SET_ACCESS": "ACCESS",
        "operations.certificate._now": lambda: NOW,
        "operations.files.REST": (),
    },
    "cluster": {
        "facts.cluster._SCRIPT": "SCRIPT",
        "facts.cluster._RECORD": "SCRIPT",
        "facts.cluster._HELD": "SCRIPT",
    },
    "ckan_identity": {"facts.sent._EITHER": "SCRIPT", "facts.ckan_identity._IDENTITY": "CODE"},
    "http": {"facts.http._SCRIPT": "SCRIPT"},
    "postgresql": {
        "facts.postgresql._SCRIPT": "SCRIPT",
        "operations.postgresql._RUN": "RUN",
        "operations.postgresql.token_bytes": lambda size: SALT[:size],
        "operations.files.REST": (),
    },
}


class _Text:
    """What a ``StringIO`` must hold."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StringIO) and other.getvalue() == self.text

    __hash__ = None  # type: ignore[assignment]

    def to_json(self) -> str:
        """For what is said of a difference."""
        return self.text


def prepare_fakes() -> None:
    """Set what our operations read of the state and the fakes lack."""
    FakeState.current_stage = StateStage.Prepare
    host: Any = FakeHost
    host.log = lambda self, message, **options: None


def paths(kind: str) -> list[str]:
    """Names of all folders of KIND, ``facts`` or ``operations``: of what each has fixtures."""
    return sorted(path.name for path in (FIXTURES / kind).iterdir() if path.is_dir())


@contextmanager
def seams(path: str) -> Iterator[None]:
    """Have the replacements of the module of PATH in place."""
    with ExitStack() as stack:
        for target, value in SEAMS.get(path.partition(".")[0], {}).items():
            stack.enter_context(patch(target, value))
        yield


def fact_tests(path: str) -> type[TestCase]:
    """Return the tests of the fact PATH ("files.Managed") from ``fixtures/facts/PATH/``."""
    generated: Any = make_fact_tests("facts", path, FIXTURES / "facts" / path)
    original = generated._test_fn

    def test(self: TestCase, name: str, data: dict[str, Any], fact: Any) -> None:
        if "exception" in data:
            with pytest.raises(FactProcessError) as caught:
                fact.process(data["output"].splitlines())
            assert data["exception"] in str(caught.value)
        else:
            with seams(path):
                original(self, name, data, fact)

    generated._test_fn = test
    generated.__name__ = path
    return generated  # type: ignore[no-any-return]


def operation_tests(path: str) -> type[TestCase]:
    """Return the tests of the operation PATH ("service.follow") from ``fixtures/operations/PATH/``."""
    generated: Any = make_operation_tests("operations", path, FIXTURES / "operations" / path)
    original = generated._test
    make_host = testing.create_host
    beside = FIXTURES / "operations" / f"{path}.yaml"
    shared = yaml.safe_load(beside.read_text()) if beside.exists() else {}

    def test(self: TestCase, name: str, data: dict[str, Any]) -> None:
        hosts = []

        def create(*args: Any, **kwargs: Any) -> Any:
            host = make_host(*args, **kwargs)
            host.name = "portal"
            host.connector_data[_KEY] = {
                kind: {name: number for name in names}
                for number, (kind, names) in enumerate(data.get("foreseen", {}).items())
            }
            hosts.append(host)
            return host

        data = {**data, "kwargs": _hidden({**shared.get("kwargs", {}), **data.get("kwargs", {})})}
        given = data.get("facts", {})
        data["facts"] = {key: _typed(key, _states(values, shared)) for key, values in given.items()}
        data["commands"] = [_command(command, shared) for command in data.get("commands", [])]
        stage = StateStage[data.get("stage", "Prepare")]
        fakes = patch.object(testing, "create_host", create), patch.object(FakeState, "current_stage", stage)
        with fakes[0], fakes[1], seams(path):
            original(self, name, data)
        if "notes" in data:
            (host,) = hosts
            notes = {kind: sorted(names) for kind, names in host.connector_data[_KEY].items() if names}
            assert notes == {kind: sorted(names) for kind, names in data["notes"].items()}

    generated._test = test
    generated.__name__ = path
    return generated  # type: ignore[no-any-return]


def _states(values: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    """Complete the states of a fact that are like a shared one."""
    return {
        arguments: {**shared["states"][value["like"]], **{key: value[key] for key in value if key != "like"}}
        if isinstance(value, dict) and "like" in value
        else value
        for arguments, value in values.items()
    }


def _typed(key: str, values: dict[str, Any]) -> Any:
    """Validate the VALUES of the fact KEY, by its arguments, into the type that its ``process`` returns.

    Those of a fact without arguments are one value.
    """
    module, _, name = key.partition(".")
    fact = getattr(import_module(f"facts.{module}"), name)
    adapter: TypeAdapter[Any] = TypeAdapter(get_type_hints(fact.process)["return"])
    if len(signature(fact.command).parameters) == 1:
        return adapter.validate_python(values)
    return {arguments: adapter.validate_python(parse_value(_hidden(value))) for arguments, value in values.items()}


def _hidden(value: Any) -> Any:
    """Take ``secret:…`` for a secret."""
    if isinstance(value, dict):
        return {key: _hidden(item) for key, item in value.items()}
    if isinstance(value, str) and value.startswith("secret:"):
        return Secret(value.removeprefix("secret:"))
    return value


def _constant(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def _command(command: Any, shared: dict[str, Any]) -> Any:
    if not isinstance(command, dict):
        return command
    if "command" in command:
        given = command["_stdin"]
        return {**command, "_stdin": _Text(shared["texts"][given["text"]] if isinstance(given, dict) else given)}
    body = _constant(command.get("script") or command["python"])
    arguments = [_constant(a["constant"]) if isinstance(a, dict) else a for a in command["arguments"]]
    if "python" in command:
        interpreter = "python3 -I -c" if command.get("isolated") else "python3 -c"
        return get_command_string(StringCommand(interpreter, QuoteString(body), *map(QuoteString, arguments)))
    stdin = command.get("stdin")
    text = get_command_string(script(body, *arguments, stdin=stdin))
    return text if stdin is None else {"_stdin": _Text(stdin), "command": text}
