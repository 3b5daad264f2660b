"""From a plain CKAN to a DCOR and back: one run each, and nothing of the other is left."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from settings.flavours import FLAVOURS
from settings.locks import schema
from tests.lab.harness import acceptance, deploy, host_files, oracle
from tests.lab.harness.deployments import CKAN, DCOR
from tests.lab.harness.portal_host import NAME, PortalHost, portal_of

# What people made, or would lose: it stays, as docs/dcor.md says. Packages are the distribution's.
STAYS = re.compile(
    r"^/data(/|$)|^/cache$|^/srv(/|$)|^/var/lib/ckan(/|$)|^/var/cache/(apt|ckan-deploy)(/|$)|^/var/log(/|$)|^/var/lib/(apt|dpkg)(/|$)"
    r"|^/usr/local/bin/minio$|^/etc/ckan-deploy(/|$)|^(user|group) minio-user$"
)
OF_DCOR = ("/usr/bin/dcor", "/cache/*", "/etc/supervisor/conf.d/*dcor*")


@pytest.mark.guarantee("switch")
def test_nothing_of_the_other_flavour_is_left(portal_host: PortalHost, tmp_path: Path) -> None:
    portal_host.ensure(portal_host.deployed(CKAN))
    plain = oracle.essence(oracle.snapshot(NAME))
    portal_host.mark_changed()
    uploaded = f"{FLAVOURS['ckan'].storage}/resources/abc/def"
    portal_host.run("sh", "-ec", f"mkdir -p $(dirname {uploaded}); echo somebody's > {uploaded}")
    refused = deploy.pyinfra("deploy.py", "--dry", inventory=DCOR)
    assert (refused.status, "or leave them behind with base_leave_behind" in refused.stderr) == (1, True), (
        refused.output
    )
    portal_host.run("rm", "-r", f"{FLAVOURS['ckan'].storage}/resources/abc")
    assert "DCOR | Install the command dcor" in deploy.plan_and_apply(inventory=DCOR)[NAME]
    portal_host.wait_until_up()
    assert set(host_files.there(*OF_DCOR)) >= {"/usr/bin/dcor", "/etc/supervisor/conf.d/ckan-worker-dcor-short.conf"}
    assert deploy.plan_and_apply(inventory=DCOR) == {}
    acceptance.reading(portal_of(tmp_path), schema()["version"])
    changed = deploy.plan_and_apply().get(NAME, [])
    assert "DCOR | Install the command dcor" not in changed
    assert deploy.plan_and_apply() == {}
    back = oracle.essence(oracle.snapshot(NAME))
    different = [line for line in oracle.difference(plain, back) if not STAYS.match(line.split(": ")[1])]
    assert different == []
    portal_host.wait_until_up()
    acceptance.assets(portal_of(tmp_path))
    assert host_files.there(*OF_DCOR) == []
