"""What all tests share: no secret of the developer's environment reaches them."""

from __future__ import annotations

import os

import gevent.monkey
import pytest

# pyinfra's command line, on import, replaces the standard library's threads and processes by gevent's, for itself. In
# the tests' own process gevent loses the end of a child now and then, and pytest-xdist cannot work.
gevent.monkey.patch_all = lambda **options: True

# What asserts for several tests says what it found, too.
pytest.register_assert_rewrite(*(f"tests.lab.{name}" for name in ("acceptance", "convergence", "faults", "harness")))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="one by one instead of batched")


@pytest.fixture(autouse=True)
def _no_secrets_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CKAN_DEPLOY_SECRET_"):
            monkeypatch.delenv(name)
