"""What can be wrong with an inventory itself, before any settings object is made: names, addresses, groups.

Each function returns sentences for the operator, or none.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches

from settings.component import Component
from settings.sources import HostSource

SERVICES = ("portal", "postgresql", "redis", "solr")
GROUPS = (*SERVICES, "object_storage")
_OWN_NAMES = frozenset({"address", "secrets_folder", "secrets_generate"})


def wrong_names(host: HostSource, components: Sequence[type[Component]]) -> Iterator[str]:
    """Names that are no setting of COMPONENTS, are computed, or are secrets in clear text."""
    kinds = {
        f"{component.prefix}_{field}": (component.kind(field), component.model_fields[field].annotation)
        for component in components
        for field in component.model_fields
    }
    for name in sorted(host.data):
        if name.startswith(("_", "ssh_", "fake_")) or name in _OWN_NAMES:
            continue
        if name not in kinds:
            near = get_close_matches(name, kinds, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"{name} ({host.origin(name)}) is no setting{hint}"
        elif kinds[name][0] == "derived":
            yield f"{name} ({host.origin(name)}) is computed and cannot be set"
        elif kinds[name][0] == "entered" and "Secret" in str(kinds[name][1]):
            yield f"{name} ({host.origin(name)}) is a secret: put it into the secret store instead"


def wrong_address(name: str, host: HostSource) -> Iterator[str]:
    """The address of the host NAME, if it is missing or no IP address."""
    address = host.data.get("address")
    try:
        ipaddress.ip_address(str(address))
    except ValueError:
        what = "has no address" if address is None else f"has the address {address!r}, which is no IP address"
        yield f'host {name} {what}; write `("{name}", {{"address": "192.0.2.1"}})` with its own in the inventory'


def members(hosts: Mapping[str, HostSource], group: str) -> list[str]:
    """Names of the hosts in GROUP."""
    return [name for name, host in hosts.items() if group in host.groups]


def wrong_groups(hosts: Mapping[str, HostSource]) -> Iterator[str]:
    """Services that have no host or several, and groups whose component does not exist yet."""
    for service in SERVICES:
        names = members(hosts, service)
        if len(names) != 1:
            found = "no host" if not names else f"{len(names)} hosts ({', '.join(names)})"
            yield f'group {service}: it has {found}, but must have one; write `{service} = ["HOST"]` in the inventory'
    if members(hosts, "object_storage"):
        yield "group object_storage: there is no such component yet; leave the group empty"
