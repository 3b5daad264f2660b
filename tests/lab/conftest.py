"""The lab's fixtures. The tests have a lab of their own, so that they do not touch a demo that runs.

With ``-n 2 --dist loadgroup`` (pytest-xdist) two workers share the tests by groups, each with a lab of its own.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
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

from lab import state
from tests.lab.harness import secret_store, summary
from tests.lab.harness.acceptance import Portal
from tests.lab.harness.portal_host import FQDN, NAME, RELEASES, PortalHost

HERE = Path(__file__).parent
# Groups of tests that take long, the longest first.
LONGEST = (
    "test_drift",
    "test_leaks",
    "test_split",
    "test_plan_exact",
    "test_split apart",
    "test_split together",
    "test_killed",
    "test_leftovers",
)


@pytest.hookimpl(tryfirst=True)  # xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs root and namespaces; what begins from the same hosts goes to the same worker."""
    ours = [item for item in items if HERE in item.path.parents]
    for item in ours:
        item.add_marker(pytest.mark.lab)
        item.add_marker(pytest.mark.xdist_group(_group(item)))
    places = {id(item): _place(item) for item in ours}
    items.sort(key=lambda item: places.get(id(item), (0, 0)))


def _place(item: pytest.Item) -> tuple[int, int]:
    """Where ITEM comes: what deploys the releases, then what takes longest, so that no worker waits at the end."""
    if "portal_host" not in _fixtures(item):
        return 2, 0
    group = _group(item)
    return (1, LONGEST.index(group) if group in LONGEST else len(LONGEST)) if _long(item) else (0, 0)


def _group(item: pytest.Item) -> str:
    """Name of what ITEM shares with other tests: a deployed release, or what its module makes."""
    if "portal_host" in _fixtures(item) and not _long(item):
        return str(_parameters(item).get("release", RELEASES[0]))
    return f"{item.path.stem} {_parameters(item).get('made', '')}".strip()


def _long(item: pytest.Item) -> bool:
    return item.get_closest_marker("guarantee") is not None


def _fixtures(item: pytest.Item) -> list[str]:
    return getattr(item, "fixturenames", [])


def _parameters(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec else {}


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker sends what it wants to be printed at the end."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["summary"] = summary.LINES


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended; a crashed one says nothing."""
    summary.LINES.extend(getattr(node, "workeroutput", {}).get("summary", []))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how much was looked at."""
    for line in summary.LINES:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def portal_host() -> Iterator[PortalHost]:
    made = PortalHost()
    made.open()
    yield made
    made.close()


@pytest.fixture(scope="session", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    """Each release in turn; pytest groups the tests by it, so that each is deployed once."""
    return str(request.param)


@pytest.fixture
def converged(portal_host: PortalHost, release: str) -> PortalHost:
    """A converged portal on each release in turn. A test that changes the host calls ``mark_changed``."""
    portal_host.ensure(portal_host.deployed(release))
    return portal_host


@pytest.fixture
def one_converged(portal_host: PortalHost) -> PortalHost:
    """A converged portal on the first release, for what does not depend on it."""
    portal_host.ensure(portal_host.deployed(RELEASES[0]))
    return portal_host


@pytest.fixture
def portal(converged: PortalHost, tmp_path: Path) -> Portal:
    """The portal as its users see it."""
    return portal_of(converged, tmp_path)


def portal_of(portal_host: PortalHost, tmp_path: Path) -> Portal:
    """Return the portal that stands on the STAGE, its certificate below TMP_PATH."""
    cafile = tmp_path / "portal.pem"
    cafile.write_text(portal_host.read(f"/etc/ssl/certs/{FQDN}.cert"))
    return Portal(
        fqdn=FQDN,
        address=state.host(NAME).address,
        cafile=str(cafile),
        sysadmin="admin",
        password=secret_store.secret("ckan_sysadmin_password"),
    )
