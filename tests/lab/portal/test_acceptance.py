"""A deployed portal, as those who use it see it: its API, its pages, and a person with a browser."""

import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import paths
from settings.locks import schema
from tests.lab.harness import acceptance
from tests.lab.harness.acceptance import Portal
from tests.lab.harness.browser import browser
from tests.lab.harness.portal_host import PortalHost, portal_of

pytestmark = pytest.mark.portal("ckan", crossed=True)


def test_without_a_browser(portal: Portal, converged: PortalHost) -> None:
    token = converged.read("/etc/ckan/default/sysadmin-token").strip()
    acceptance.all_without_browser(portal, schema()["version"], token)


def test_an_upload_needs_no_room_in_tmp(portal: Portal, converged: PortalHost) -> None:
    """Debian 13's is half of the memory: 200 MiB pass where it has 100."""
    converged.run("mount", "-t", "tmpfs", "-o", "size=100m,mode=1777", "tmpfs", "/tmp")
    try:
        token = converged.read("/etc/ckan/default/sysadmin-token").strip()
        acceptance.api_round_trip(portal, token, 200 * 2**20)
    finally:
        converged.run("umount", "--lazy", "/tmp")


def test_the_browser_refuses_a_wrong_certificate(portal: Portal) -> None:
    acceptance.wrong_certificate_is_refused(portal)


def test_a_person_publishes(portal: Portal, tmp_path: Path) -> None:
    acceptance.person_publishes(portal, tmp_path)


def test_a_person_sees_nothing_of_the_controllers_network(converged: PortalHost, tmp_path: Path) -> None:
    """Interfaces of other labs come and go there, at which a browser drops what it is loading."""
    portal = portal_of(tmp_path)
    with (
        _networks_come_and_go(tmp_path / "times") as times,
        browser(portal.fqdn, portal.address, portal.cafile) as window,
    ):
        for _ in range(10):
            before = times()
            window.visit("/dataset/")
            window.see("#dataset-search-form")
            assert times() > before, "nothing came and went meanwhile"
        assert window.complaints() == []


@contextmanager
def _networks_come_and_go(record: Path) -> Generator[Callable[[], int], None, None]:
    """An address comes and goes on the controller for as long as the body takes; how often it came until now."""
    link = f"{paths.prefix()}other"  # `down` removes it should this be killed
    come = f"ip link add {link} type bridge; ip address add 198.18.255.1/32 dev {link}; ip link set {link} up"
    enough = record.with_name("enough")
    loop = f"until [ -e {enough} ]; do {come}; echo; sleep 0.02; ip link delete {link}; done"
    with record.open("w") as file:
        coming = subprocess.Popen(["sh", "-ec", loop], stdout=file)
    try:
        yield lambda: len(record.read_text())
        assert coming.poll() is None, "nothing comes and goes any more"
    finally:
        enough.touch()
        assert coming.wait(30) == 0
