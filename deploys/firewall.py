"""Firewall: the ports of inner services are open to the hosts that use them, and to nobody else."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from operations import apt, files, nftables, service
from operations.text import render
from settings.firewall import FirewallSettings

_TABLE = "ckan_deploy"
_FOLDER = "/etc/ckan-deploy"
_RULES = f"{_FOLDER}/firewall.nft"
_UNIT = "ckan-deploy-firewall.service"


@deploy("Firewall")
def firewall(settings: FirewallSettings) -> None:
    """Close the ports of inner services before any of them is installed.

    On each host those of PostgreSQL, Redis and Solr, whether or not it has them, and whether or not they listen
    on loopback only: what moved to another host may still run here, and a mistake in a service's own
    configuration must not open it. Solr asks nobody for a password.
    """
    rules = render("firewall/rules.nft.j2", settings, table=_TABLE)
    apt.packages(name="Install nftables", packages=["nftables"])
    files.directory(name=f"Make {_FOLDER}", path=_FOLDER)
    files.install(name="Write the rules for inner ports", dest=_RULES, text=rules)
    files.install(
        name="Describe the firewall's service",
        dest=f"/etc/systemd/system/{_UNIT}",
        text=render("firewall/service.j2", rules=_RULES, table=_TABLE),
    )
    nftables.table(name="Close the inner ports", family="inet", table=_TABLE, rules=rules.secret)
    service.follow(name="Close the inner ports at boot", unit=_UNIT)
