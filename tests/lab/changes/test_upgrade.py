"""Debian 12 becomes 13 under a portal, as docs/upgrading.md has it; and a database that is left behind on purpose."""

from __future__ import annotations

import re

import pytest

from lab import host, inside, sources
from tests.lab.harness import deploy, deployments
from tests.lab.harness.portal_host import NAME, PortalHost

pytestmark = pytest.mark.guarantee("upgrade")

CREATE = """
curl -sf -H "Authorization: $(cat /etc/ckan/default/sysadmin-token)" -H 'Content-Type: application/json' \
  -d "$2" "http://127.0.0.1:8080/api/3/action/$1" >/dev/null
"""
NEW_CLUSTER = """
supervisorctl stop all >/dev/null
systemctl stop postgresql@15-main; pg_renamecluster 15 main old; echo manual > /etc/postgresql/15/old/start.conf
pg_createcluster 15 main >/dev/null
"""
OTHER_JAVA = "update-alternatives --quiet --install /usr/bin/java java /bin/false 9999; systemctl restart solr"
UPGRADE = """
export DEBIAN_FRONTEND=noninteractive
supervisorctl stop all >/dev/null
rm -f /etc/apt/sources.list.d/*; cat > /etc/apt/sources.list
apt-get -q update; apt-get -q -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold full-upgrade
"""
MOVE = """
export DEBIAN_FRONTEND=noninteractive
supervisorctl stop all >/dev/null || :
apt-get -q -y --no-install-recommends install postgresql-17
mv /etc/postgresql/15/main/conf.d/ckan-deploy.conf /root/
pg_upgradecluster -v 17 15 main
"""


def _quietly(script: str, *arguments: str, text: str = "") -> None:
    done = inside.run(NAME, ["sh", "-ec", script, "test", *arguments], text=text, check=False)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def _number(cluster: str) -> str:
    path = f"/var/lib/postgresql/{cluster}/global/pg_control"
    return inside.run(NAME, ["od", "-An", "-t", "u8", "-N", "8", path]).stdout.strip()


def _refused(says: str) -> None:
    refused = deploy.pyinfra("deploy.py", "-y")
    assert refused.status == 1, refused.output
    assert re.search(says, refused.stderr), refused.stderr


def _found(name: str) -> bool:
    """Whether the search of the portal finds a dataset of that name."""
    command = f"curl -sf 'http://127.0.0.1:8080/api/3/action/package_search?q=name:{name}' | grep -q '\"count\": 1'"
    return inside.run(NAME, ["sh", "-c", command], check=False).returncode == 0


@pytest.fixture
def portal(portal_host: PortalHost) -> PortalHost:
    """A portal on Debian 12 with a dataset."""
    portal_host.restore(portal_host.deployed(deployments.CKAN))
    portal_host.mark_changed()
    _quietly(CREATE, "organization_create", '{"name": "org"}')
    _quietly(CREATE, "package_create", '{"name": "lark", "owner_org": "org", "private": false}')
    return portal_host


def test_another_cluster_is_gone_on_with_when_the_former_is_named(portal: PortalHost) -> None:
    """The plan is exact although CKAN cannot ask the new cluster yet. Solr has its own Java, whatever the host's is."""
    number = _number("15/main")
    _quietly(OTHER_JAVA)
    _quietly(NEW_CLUSTER)
    leave = ("--data", f"ckan_database_leave_behind={number}")
    _refused(rf'or leave it behind with ckan_database_leave_behind = "{number}"')
    changed = deploy.plan_and_apply(*leave)[NAME]
    assert {"CKAN | Apply CKAN's pending migrations", "CKAN | Note which database CKAN has"} < set(changed)
    portal.wait_until_up()
    assert not _found("lark")
    assert deploy.plan_and_apply(*leave) == {}
    assert deploy.plan_and_apply() == {}
    assert _number("15/old") == number


def test_debian_12_becomes_13(portal: PortalHost) -> None:
    """The data go to the new release's PostgreSQL; until then a run stops, and names both clusters."""
    number = _number("15/main")
    _quietly(UPGRADE, text="".join(f"{line}\n" for line in sources.archive("trixie")))
    host.reboot(NAME)
    _refused(
        rf"17/main is not there, while that of the last run is 15/main \(number {number}.*`pg_upgradecluster -v 17"
    )
    _quietly(MOVE)
    assert _number("17/main") != number
    deploy.plan_and_apply()
    portal.wait_until_up()
    assert _found("lark")
    assert deploy.plan_and_apply() == {}
