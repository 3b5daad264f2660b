"""Proxies: none stands between the portal's services, and a host may reach the world by one only."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import host, inside, state
from tests.lab.harness import acceptance, deploy
from tests.lab.harness.portal_host import NAME, PortalHost, portal_of

pytestmark = [pytest.mark.guarantee("services"), pytest.mark.portal("ckan")]

PROXY, PORT = "proxy", 8888
INDEX = "CKAN | Have all datasets in the search index"
_INSTALL = rf"""
apt-get update -qq; apt-get install -y -qq --no-install-recommends tinyproxy >/dev/null 2>&1
cat > /etc/tinyproxy/tinyproxy.conf <<.
User tinyproxy
Group tinyproxy
Port {PORT}
Timeout 600
MaxClients 100
LogFile "/var/log/tinyproxy/tinyproxy.log"
LogLevel Connect
.
systemctl restart tinyproxy
"""
# For all that logs in, and for all units: of a proxy that is not there.
_EVERYWHERE = r"""
for name in http_proxy https_proxy HTTP_PROXY HTTPS_PROXY; do echo "$name=$1"; done >> /etc/environment
mkdir -p /etc/systemd/system.conf.d
echo "[Manager]
DefaultEnvironment=http_proxy=$1 https_proxy=$1 HTTP_PROXY=$1 HTTPS_PROXY=$1" > /etc/systemd/system.conf.d/proxy.conf
"""
_EMPTY_INDEX = (
    "curl -sf --noproxy '*' -o /dev/null -H 'Content-Type: text/xml' -d '<delete><query>*:*</query></delete>' "
    "'http://127.0.0.1:8983/solr/ckan/update?commit=true'"
)
# What a first run fetches: packages, an archive, a wheel.
_LOSE = r"""
rm -rf /var/cache/apt/archives/*.deb /var/cache/ckan-deploy/solr-* /opt/solr-* /var/solr/data/ckan/conf/schema.xml
nft "table inet sealed { chain out { type filter hook output priority 0; oif lo accept
  ct state established,related accept; ip daddr $1 tcp dport $2 accept; drop; }; }"
"""


@pytest.fixture(scope="module")
def proxy() -> Iterator[str]:
    """Address of a host that is a forward proxy."""
    host.up(PROXY, release="bookworm")
    inside.run(PROXY, ["sh", "-ec", _INSTALL])
    yield state.host(PROXY).address
    host.down(PROXY)


def test_no_service_is_asked_by_a_proxy(converged: PortalHost, tmp_path: Path) -> None:
    """Whatever /etc/environment and systemd's defaults say: not after a boot, not by CKAN, not by a run."""
    converged.mark_changed()
    portal = portal_of(tmp_path)
    token = converged.read("/etc/ckan/default/sysadmin-token").strip()
    with acceptance.visit(portal) as session:
        session.headers["Authorization"] = token
        acceptance.ask(session, portal, "organization_create", {"name": "proxied"})
        acceptance.ask(session, portal, "package_create", {"name": "proxied", "owner_org": "proxied"})
    converged.run("sh", "-ec", _EVERYWHERE, "everywhere", "http://127.0.0.1:9")
    host.reboot(NAME)
    converged.wait_until_up()
    acceptance.api_round_trip(portal, token)
    assert deploy.apply() == {}
    converged.run("sh", "-c", _EMPTY_INDEX)
    assert deploy.plan_and_apply() == {NAME: [INDEX]}


def test_a_host_that_reaches_the_world_by_a_proxy_only(converged: PortalHost, proxy: str) -> None:
    converged.mark_changed()
    converged.run("sh", "-ec", _LOSE, "lose", proxy, str(PORT))
    data = ("--data", f"base_proxy=http://{proxy}:{PORT}", "--data", "base_admin_tools=true")
    changed = deploy.plan_and_apply(*data)[NAME]
    for name in ("Base | Have apt use the proxy", "Solr | Download Solr", "Solr | Install CKAN's search schema"):
        assert name in changed
    asked = inside.run(PROXY, ["cat", "/var/log/tinyproxy/tinyproxy.log"]).stdout
    assert ".tgz" in asked and "127.0.0.1" not in asked.replace("on 127.0.0.1", "")
    # As automatic updates do.
    converged.run("apt-get", "-qq", "-o", "APT::Update::Error-Mode=any", "update")
    assert deploy.plan_and_apply(*data) == {}
