"""A deployed portal, as those who use it see it: its API, its pages, and a person with a browser."""

import subprocess
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


def test_the_browser_refuses_a_wrong_certificate(portal: Portal) -> None:
    acceptance.wrong_certificate_is_refused(portal)


def test_a_person_publishes(portal: Portal, tmp_path: Path) -> None:
    acceptance.person_publishes(portal, tmp_path)


def test_a_person_sees_nothing_of_the_controllers_network(converged: PortalHost, tmp_path: Path) -> None:
    """Interfaces of other labs come and go there, at which a browser drops what it is loading."""
    portal = portal_of(tmp_path)
    link = f"{paths.prefix()}other"  # `down` removes it should this be killed
    come = f"ip link add {link} type bridge; ip address add 198.18.255.1/32 dev {link}; ip link set {link} up"
    coming = subprocess.Popen(["sh", "-c", f"for i in $(seq 150); do {come}; sleep 0.1; ip link delete {link}; done"])
    try:
        with browser(portal.fqdn, portal.address, portal.cafile) as window:
            for _ in range(10):
                window.visit("/dataset/")
                window.see("#dataset-search-form")
            assert window.complaints() == []
            assert coming.poll() is None, "nothing came and went meanwhile"
    finally:
        coming.wait()
