"""From a plain CKAN to a DCOR and back: one run each, and nothing of the other is left."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.lab.conftest import portal_of
from tests.lab.harness import acceptance, deploy, oracle
from tests.lab.harness.portal_host import NAME, RELEASES, PortalHost

# What people made, or would lose: it stays, as docs/dcor.md says. Packages are the distribution's.
STAYS = re.compile(
    r"^/data(/|$)|^/cache$|^/srv(/|$)|^/var/lib/ckan(/|$)|^/var/cache/(apt|ckan-deploy)(/|$)|^/var/log(/|$)|^/var/lib/(apt|dpkg)(/|$)"
    r"|^/usr/local/bin/minio$|^/etc/ckan-deploy(/|$)|^(user|group) minio-user$"
)


@pytest.mark.guarantee
def test_nothing_of_the_other_flavour_is_left(portal_host: PortalHost, tmp_path: Path) -> None:
    if deploy.INVENTORY == deploy.DCOR:
        pytest.skip("begins from a plain CKAN")
    plain = oracle.essence(oracle_of(portal_host, portal_host.deployed(RELEASES[0])))
    portal_host.restore(portal_host.deployed_dcor(RELEASES[0]))
    portal_host.mark_changed()
    changed = deploy.plan_and_apply().get(NAME, [])
    assert "DCOR | Install the command dcor" not in changed
    assert deploy.plan_and_apply() == {}
    back = oracle.essence(oracle.snapshot(NAME))
    different = [line for line in oracle.difference(plain, back) if not STAYS.match(line.split(": ")[1])]
    assert different == []
    portal_host.wait_until_up()
    acceptance.assets(portal_of(portal_host, tmp_path))
    left = portal_host.run("sh", "-c", "ls -d /usr/bin/dcor /cache/* /etc/supervisor/conf.d/*dcor* 2>/dev/null || :")
    assert left == ""


def oracle_of(portal_host: PortalHost, name: str) -> oracle.State:
    portal_host.ensure(name)
    return oracle.snapshot(NAME)
