"""Rules about settings of several components. Those of one component are in its own module, or beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import ip_address
from itertools import combinations

from settings import ckan_rules, dcor, develop, minio, nginx, object_storage, patching, tls
from settings.base import least_memory
from settings.inventory_checks import SERVICES, STORAGE
from settings.rule import Clash, Rule, Unknown, View
from settings.schema import nearest, settings

# On every portal's host, whatever is set. Only uwsgi_port may be below 1024.
_TAKEN = {22: "sshd", 80: "nginx", 443: "nginx"}
# The group whose host has each port.
_PORTS = {
    "postgresql_port": "postgresql",
    "redis_port": "redis",
    "solr_port": "solr",
    "uwsgi_port": "portal",
    "minio_port": STORAGE,
    "minio_console_port": STORAGE,
}
# What each service was told to take of its host's memory.
_MEMORY = {"postgresql": "postgresql_shared_buffers", "redis": "redis_maxmemory", "solr": "solr_heap"}
_UNITS = {"k": 1 / 1024, "m": 1, "g": 1024}
_RESERVED = 3  # PostgreSQL's superuser_reserved_connections, by default


def _ports(view: View, host: str) -> list[str]:
    """Settings of the ports of HOST."""
    groups = {group for group in _PORTS.values() if host in view.members(group)}
    if view["portal_flavour"] != "dcor":
        groups -= {STORAGE}  # a plain CKAN has none
    return [name for name, group in _PORTS.items() if group in groups]


def ports_differ(view: View) -> Iterator[Clash]:
    """One port of a host is for one service."""
    for host in view.hosts():
        for one, other in combinations(_ports(view, host), 2):
            try:
                same = view.of(host, one) == view.of(host, other)
            except Unknown:
                continue  # the others are still compared
            if same:
                yield Clash((one, other), f"both would listen on this port of {host}; choose another for one", host)


def stop_port_is_free(view: View) -> Iterator[Clash]:
    """Solr waits for the order to stop on a port of its own: its port - 1000."""
    for host in view.members("solr"):
        for name in _ports(view, host):
            try:
                same = view.of(host, name) == view.of(host, "solr_port") - 1000
            except Unknown:
                continue  # the others are still compared
            if same:
                yield Clash(
                    (name, "solr_port"),
                    "Solr waits for the order to stop on its port - 1000; choose another for one",
                    host,
                )


def port_is_not_taken(view: View) -> Iterator[Clash]:
    """UWSGI leaves the ports of nginx and sshd alone."""
    if taken := _TAKEN.get(view["uwsgi_port"]):
        yield Clash(("uwsgi_port",), f"the port is that of {taken} on the same host; choose another, as 8080")


def memory_is_enough(view: View) -> Iterator[Clash]:
    """A host that passes the check of its memory has as much as its services were told to take."""
    for host in view.hosts():
        names = [setting for service, setting in _MEMORY.items() if host in view.members(service)]
        try:
            total = sum(_mebibytes(view.of(host, name)) for name in names)
            least = view.of(host, "base_minimum_memory")
            if least is None:
                least = least_memory(view["portal_flavour"], _services(view, host))
        except Unknown:
            continue  # the other hosts are still looked at
        if names and total > least:
            yield Clash(
                (*names, "base_minimum_memory"),
                f"the services of {host} may take {total:.0f} MiB, but a host with {least} MiB would pass for large "
                "enough; raise base_minimum_memory, or give the services less",
                host,
            )


def _services(view: View, host: str) -> list[str]:
    return [group for group in (*SERVICES, STORAGE) if host in view.members(group)]


def _mebibytes(size: str) -> float:
    number, unit = re.fullmatch(r"([0-9]+)([a-zA-Z]).*", size).groups()  # type: ignore[union-attr]
    return int(number) * _UNITS[unit.lower()]


def connections_are_enough(view: View) -> Iterator[Clash]:
    """Each worker has a connection to the database of its own."""
    names = ["uwsgi_workers", "workers_default"]
    if view["portal_flavour"] == "dcor":
        names += ["workers_dcor_short", "workers_dcor_normal", "workers_dcor_long"]
    workers, most = sum(view[name] for name in names), view["postgresql_max_connections"]
    if workers + _RESERVED > most:
        yield Clash(
            (*names, "postgresql_max_connections"),
            f"each worker holds a connection, and PostgreSQL keeps {_RESERVED} for its administrator; allow at least "
            f"{workers + _RESERVED} connections, or have fewer workers",
        )


def addresses_differ(view: View) -> Iterator[Clash]:
    """An address leads to one host."""
    for one, other in combinations(view.hosts(), 2):
        try:
            same = ip_address(view.of(one, "address")) == ip_address(view.of(other, "address"))
        except Unknown:
            continue
        if same:
            yield Clash(("address",), f"{one} has the same address; give each host its own", other)


def addresses_lead_to_hosts(view: View) -> Iterator[Clash]:
    """Other hosts must reach an address; loopback is their own."""
    for host in view.hosts() if len(view.hosts()) > 1 else []:
        try:
            address = ip_address(view.of(host, "address"))
        except Unknown:
            continue
        if address.is_loopback or address.is_unspecified or address.is_multicast or address.is_link_local:
            yield Clash(("address",), f"other hosts cannot reach {host} by this; give it one of their network", host)


def one_store(view: View) -> Iterator[Clash]:
    """An environment has one place for its secrets."""
    hosts = view.hosts()
    for name in ("secrets_folder", "secrets_generate"):
        if other := next((host for host in hosts if view.of(host, name) != view.of(hosts[0], name)), ""):
            yield Clash(
                (name,), f"it is another one for {hosts[0]}; set it once, in the environment's group_data", other
            )


def version_and_checksum(view: View) -> Iterator[Clash]:
    """A checksum is of one version."""
    ours = {name: settings()[name].default for name in ("solr_version", "solr_sha512")}
    if view["solr_version"] != ours["solr_version"] and view["solr_sha512"] == ours["solr_sha512"]:
        yield Clash(
            ("solr_version", "solr_sha512"),
            f"the checksum is that of {ours['solr_version']}; set solr_sha512 to that of "
            f"solr-{view['solr_version']}.tgz, which stands beside it where it is downloaded",
        )


def taken_over_are_hosts(view: View) -> Iterator[Clash]:
    """Who is taken over is a host of the inventory; its name may stand without a connector ("@docker/")."""
    known = [host.rpartition("/")[2] for host in view.hosts()]
    for host in view.hosts():
        for name in view.of(host, "base_take_over"):
            if name not in (*known, *view.hosts()):
                near = f"; did you mean {found}?" if (found := nearest(name, known)) else ""
                yield Clash(("base_take_over",), f"there is no host {name}{near}", host)


RULES: tuple[Rule, ...] = (
    ports_differ,
    stop_port_is_free,
    port_is_not_taken,
    memory_is_enough,
    connections_are_enough,
    addresses_differ,
    addresses_lead_to_hosts,
    one_store,
    version_and_checksum,
    taken_over_are_hosts,
    *ckan_rules.RULES,
    *dcor.RULES,
    *tls.RULES,
    *nginx.RULES,
    *object_storage.RULES,
    *minio.RULES,
    *develop.RULES,
    *patching.RULES,
)
