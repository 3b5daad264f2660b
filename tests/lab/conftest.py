"""The lab's fixtures. The tests have a lab of their own, so that they do not touch a demo that runs.

With ``-n 2 --dist loadgroup`` (pytest-xdist) two workers share the tests by groups, each with a lab of its own.
"""

from __future__ import annotations

import os
import random
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

os.environ["CKAN_DEPLOY_LAB"] = "-".join(
    filter(
        None,
        (
            os.environ.get("CKAN_DEPLOY_TEST_LAB", "/var/lib/ckan-deploy-lab-test"),
            os.environ.get("PYTEST_XDIST_WORKER"),
        ),
    )
)
# All workers collect the same tests, so they must draw the same.
os.environ["CKAN_DEPLOY_TEST_SEED"] = os.environ.get("CKAN_DEPLOY_TEST_SEED") or str(random.randrange(10**6))

from tests.lab.harness import durations, faults, selection, summary, unchanged
from tests.lab.harness.acceptance import Portal
from tests.lab.harness.deployments import Deployment
from tests.lab.harness.portal_host import PortalHost, portal_of

HERE = Path(__file__).parent


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that asks for a deployment gets those that its module names; see harness/deployments.py."""
    if "deployment" in metafunc.fixturenames:
        found = selection.of_item(metafunc.definition)
        metafunc.parametrize("deployment", found, ids=map(str, found))


def pytest_configure(config: pytest.Config) -> None:
    """Only the process that hears of all tests can measure them."""
    if config.getoption("--record-durations") and not hasattr(config, "workerinput"):
        config.pluginmanager.register(durations.Recorder())


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture, those of the module included."""
    selection.choose(item)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Everything here needs root and namespaces; what begins from the same hosts goes to the same worker."""
    selection.select(config, items, [item for item in items if HERE in item.path.parents])
    places: dict[int, tuple[int, str, int]] = {}
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.xdist_group(selection.group(item)))
            places[id(item)] = selection.place(item)
    items.sort(key=lambda item: places.get(id(item), (-1, "", 0)))


# --- what is printed at the end --------------------------------------------------------------------------------------


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Count what the lab's own tests did; with workers this is called for all of them."""
    if f"/{selection.ITSELF}/" in report.nodeid:
        unchanged.COUNTS["passed"] += report.passed and report.when == "call"
        unchanged.COUNTS["failed"] += report.failed


@pytest.hookimpl(trylast=True)  # after xdist has heard of its workers' ends
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker sends what it wants to be printed at the end; the other process notes that the lab works."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["summary"] = summary.LINES
        session.config.workeroutput["itself"] = unchanged.COUNTS["wanted"]
    elif unchanged.COUNTS["wanted"] == unchanged.COUNTS["passed"] > 0 == unchanged.COUNTS["failed"]:
        unchanged.passed()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended; a crashed one says nothing."""
    output = getattr(node, "workeroutput", {})
    summary.LINES.extend(output.get("summary", []))
    unchanged.COUNTS["wanted"] = max(unchanged.COUNTS["wanted"], output.get("itself", 0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how much was looked at, and what was not run."""
    for line in dict.fromkeys(summary.LINES):
        terminalreporter.write_line(line)


# --- the portal ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def portal_host() -> Iterator[PortalHost]:
    made = PortalHost()
    made.open()
    yield made
    made.close()


@pytest.fixture(scope="module")
def _one_life(portal_host: PortalHost) -> Iterator[None]:
    """The tests of a module share a host; the last one's end is the converged state again."""
    yield
    portal_host.assert_converged()


@pytest.fixture
def converged(portal_host: PortalHost, deployment: Deployment, _one_life: None) -> PortalHost:
    """A converged portal, which the test leaves as it was, or calls ``mark_changed``."""
    portal_host.ensure(portal_host.deployed(deployment))
    return portal_host


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A test that failed leaves its host in no known state, and runs under way."""
    report = yield
    host = getattr(item, "funcargs", {}).get("portal_host")
    if report.failed and isinstance(host, PortalHost):
        host.mark_changed()
        faults.end_all()
    return report


@pytest.fixture
def portal(converged: PortalHost, tmp_path: Path) -> Portal:
    """The portal as its users see it."""
    return portal_of(tmp_path)
