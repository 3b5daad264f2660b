"""Operations from data files: what is decided on given facts and notes, and what is noted for later operations."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from tests.unit.generated import FIXTURES, operation_tests, paths

PATHS = paths("operations")
globals().update({path: operation_tests(path) for path in PATHS})


@pytest.mark.parametrize("path", PATHS)
def test_each_folder_is_an_operation_s(path: str) -> None:
    module, _, name = path.partition(".")
    operation: Any = getattr(import_module(f"operations.{module}"), name)
    assert operation._inner.__module__ == f"operations.{module}"
    assert list((FIXTURES / "operations" / path).glob("*.yaml")), "no fixture"
    assert {one.suffix for one in (FIXTURES / "operations" / path).iterdir()} == {".yaml"}


def test_what_is_shared_is_shared_by_a_folder() -> None:
    assert {one.stem for one in (FIXTURES / "operations").glob("*.*") if one.is_file()} <= set(PATHS)
