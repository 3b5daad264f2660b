"""What all tests share: no secret of the developer's environment reaches them."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import gevent.monkey
import hypothesis
import pytest

# pyinfra's command line, on import, replaces the standard library's threads and processes by gevent's, for itself. In
# the tests' own process gevent loses the end of a child now and then, and pytest-xdist cannot work.
gevent.monkey.patch_all = lambda **options: True

# How long an example takes says how busy the machine is, not whether it is right.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

# Under nohup, or in a script's background, these are ignored; so they would be in every program that a test starts.
for _ended_by in (signal.SIGHUP, signal.SIGQUIT):
    signal.signal(_ended_by, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)

# As in an environment that is activated: what commands are called in sentences depends on it.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"

# What asserts for several tests says what it found, too.
pytest.register_assert_rewrite(
    *(f"tests.lab.harness.{name}" for name in ("acceptance", "convergence", "deploy", "faults"))
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="one by one instead of batched")
    parser.addoption("--part", action="append", default=[], help="lab: only this part; repeatable")
    parser.addoption("--shard", metavar="COMMIT", help="lab: also some guarantees, chosen by COMMIT")
    parser.addoption("--record-durations", action="store_true", help="lab: measure what tests/lab/durations.tsv has")
    parser.addoption("--portal", metavar="FLAVOUR-RELEASE", help="lab: this deployment only, e.g. dcor-bookworm")


@pytest.fixture(autouse=True)
def _no_secrets_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("CKAN_DEPLOY_SECRET_"):
            monkeypatch.delenv(name)
