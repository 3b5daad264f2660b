"""Tests of facts and operations from data files, through pyinfra-testing.

What is added to its format, for operations:

- facts are validated into the fact's own type, so that they compare like the real ones
- ``foreseen``: notes of earlier operations, by kind (path, package, unit), the earliest kind first; ``notes``: all
  notes afterwards
- ``stage: Execute``: the operation is evaluated as during execution (default: Prepare)
- a command may be written ``{script: operations.service._RESTART, arguments: […]}``, with ``stdin``, if any;
  ``python:`` instead of ``script:`` for Python code

For facts: ``exception``: text that the message of the ``FactProcessError`` must hold.
"""

from __future__ import annotations

from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any, get_type_hints
from unittest import TestCase
from unittest.mock import patch

import pytest
from pydantic import TypeAdapter
from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.state import StateStage
from pyinfra_testing import operations as testing
from pyinfra_testing.facts import make_fact_tests
from pyinfra_testing.operations import make_operation_tests
from pyinfra_testing.util import FakeState, get_command_string

from operations.files import script
from operations.foresight import _KEY
from settings.secret import Secret

FIXTURES = Path(__file__).resolve().parent / "fixtures"


class _Text:
    """What a ``StringIO`` must hold."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StringIO) and other.getvalue() == self.text

    __hash__ = None  # type: ignore[assignment]


def prepare_fakes() -> None:
    """Set what our operations read of the state and the fakes lack."""
    FakeState.current_stage = StateStage.Prepare


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
            original(self, name, data, fact)

    generated._test_fn = test
    generated.__name__ = path
    return generated  # type: ignore[no-any-return]


def operation_tests(path: str) -> type[TestCase]:
    """Return the tests of the operation PATH ("service.follow") from ``fixtures/operations/PATH/``."""
    generated: Any = make_operation_tests("operations", path, FIXTURES / "operations" / path)
    original = generated._test
    make_host = testing.create_host

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

        data = {**data, "facts": {key: _typed(key, values) for key, values in data.get("facts", {}).items()}}
        data["commands"] = [_command(command) for command in data.get("commands", [])]
        stage = StateStage[data.get("stage", "Prepare")]
        data["kwargs"] = {key: _hidden(value) for key, value in data.get("kwargs", {}).items()}
        with patch.object(testing, "create_host", create), patch.object(FakeState, "current_stage", stage):
            original(self, name, data)
        if "notes" in data:
            (host,) = hosts
            notes = {kind: sorted(names) for kind, names in host.connector_data[_KEY].items() if names}
            assert notes == {kind: sorted(names) for kind, names in data["notes"].items()}

    generated._test = test
    generated.__name__ = path
    return generated  # type: ignore[no-any-return]


def _typed(key: str, values: dict[str, Any]) -> dict[str, Any]:
    """Validate the VALUES of the fact KEY, by its arguments, into the type that its ``process`` returns."""
    module, _, name = key.partition(".")
    process = getattr(import_module(f"facts.{module}"), name).process
    adapter: TypeAdapter[Any] = TypeAdapter(get_type_hints(process)["return"])
    return {arguments: adapter.validate_python(value) for arguments, value in values.items()}


def _hidden(value: Any) -> Any:
    """Take ``secret:…`` for a secret."""
    if isinstance(value, str) and value.startswith("secret:"):
        return Secret(value.removeprefix("secret:"))
    return value


def _constant(path: str) -> Any:
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


def _command(command: Any) -> Any:
    if not isinstance(command, dict):
        return command
    body = _constant(command.get("script") or command["python"])
    arguments = [_constant(a["constant"]) if isinstance(a, dict) else a for a in command["arguments"]]
    if "python" in command:
        return get_command_string(StringCommand("python3 -c", QuoteString(body), *map(QuoteString, arguments)))
    stdin = command.get("stdin")
    text = get_command_string(script(body, *arguments, stdin=stdin))
    return text if stdin is None else {"_stdin": _Text(stdin), "command": text}
