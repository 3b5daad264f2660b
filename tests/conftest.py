"""What all tests share: no secret of the developer's environment reaches them."""

from __future__ import annotations

import os

import pytest

# What asserts for several tests says what it found, too.
pytest.register_assert_rewrite(*(f"tests.lab.{name}" for name in ("acceptance", "convergence", "faults", "harness")))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="one by one instead of batched")


@pytest.fixture(autouse=True)
def _no_secrets_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CKAN_DEPLOY_SECRET_"):
            monkeypatch.delenv(name)
