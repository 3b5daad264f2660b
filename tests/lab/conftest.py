"""The lab's fixtures. The tests have a lab of their own, so that they do not touch a demo that runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

os.environ["CKAN_DEPLOY_LAB"] = os.environ.get("CKAN_DEPLOY_TEST_LAB", "/var/lib/ckan-deploy-lab-test")

from lab import state
from tests.lab import kept, summary
from tests.lab.acceptance import Portal
from tests.lab.stage import FQDN, NAME, RELEASES, Stage

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here needs root and namespaces."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how much was looked at."""
    for line in summary.LINES:
        terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    made = Stage()
    made.open()
    yield made
    made.close()


@pytest.fixture(scope="session", params=RELEASES)
def release(request: pytest.FixtureRequest) -> str:
    """Each release in turn; pytest groups the tests by it, so that each is deployed once."""
    return str(request.param)


@pytest.fixture
def converged(stage: Stage, release: str) -> Stage:
    """A converged portal on each release in turn. A test that changes the host calls ``spoil``."""
    stage.keep(stage.deployed(release))
    return stage


@pytest.fixture
def one_converged(stage: Stage) -> Stage:
    """A converged portal on the first release, for what does not depend on it."""
    stage.keep(stage.deployed(RELEASES[0]))
    return stage


@pytest.fixture
def portal(converged: Stage, tmp_path: Path) -> Portal:
    """The portal as its users see it."""
    cafile = tmp_path / "portal.pem"
    cafile.write_text(converged.read(f"/etc/ssl/certs/{FQDN}.cert"))
    return Portal(
        fqdn=FQDN,
        address=state.host(NAME).address,
        cafile=str(cafile),
        sysadmin="admin",
        password=kept.secret("ckan_sysadmin_password"),
    )
