"""Stages of several hosts: a portal whose services are elsewhere, and a host that is no client of theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from lab import host, inside, paths, snapshot, state
from tests.lab.harness import deploy
from tests.lab.harness.portal_host import REUSE, PortalHost

PORTAL_RELEASE, SERVICE_RELEASE = "trixie", "bookworm"
STRANGER = "stranger"  # in no group: the product does not know it
SCENES: dict[str, tuple[str, ...]] = {
    "together": ("services",),
    "apart": ("postgresql", "redis", "solr"),
}
PORTS = {"postgresql": 5432, "redis": 6379, "solr": 8983}

_CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2).close()
except OSError as error:
    sys.exit(f"{sys.argv[1:]}: {error}")
"""


@dataclass
class Scene:
    """One arrangement of hosts, deployed once; each test begins from the snapshots of that."""

    name: str
    portal_host: PortalHost
    planned: dict[str, list[str]] = field(default_factory=dict)
    changed: dict[str, list[str]] = field(default_factory=dict)

    @property
    def places(self) -> dict[str, str]:
        """Which host has which service."""
        names = SCENES[self.name]
        return {service: service if service in names else names[0] for service in PORTS}

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts of the inventory; a stranger stands beside them."""
        return ("portal", *SCENES[self.name])

    def keep(self) -> None:
        """Have the deployed hosts up; deploys them the first time."""
        assert not self.planned or self.changed, f"the first deploy of {self.name} failed"
        if self.portal_host.current == self.name:
            return
        clear(self.portal_host)
        names = (*self.hosts, STRANGER)
        if self.changed or (REUSE and all(paths.snapshot(f"{self.name}-{name}").exists() for name in names)):
            raise_hosts(snapshots={name: f"{self.name}-{name}" for name in names})
            self.portal_host.wait_until_up()
        else:
            others = dict.fromkeys((*SCENES[self.name], STRANGER), SERVICE_RELEASE)
            raise_hosts({"portal": PORTAL_RELEASE, **others})
            self.planned = deploy.plan()
            self.changed = deploy.apply()
            each(names, lambda name: snapshot.take(name, f"{self.name}-{name}"))
            self.portal_host.wait_until_up()
        self.portal_host.current = self.name


def clear(portal_host: PortalHost) -> None:
    """Take all hosts off the portal_host."""
    each([record.name for record in state.records()], host.down)
    portal_host.current = None


def raise_hosts(releases: dict[str, str] | None = None, snapshots: dict[str, str] | None = None) -> None:
    """Create hosts, bare or from snapshots, one after the other, so that addresses keep their order; start them."""
    for name, release in (releases or {}).items():
        host.create(name, release=release)
    for name, taken in (snapshots or {}).items():
        host.create(name, snapshot=taken)
    each((*(releases or ()), *(snapshots or ())), host.start)


def each(names: Iterable[str], function: Callable[[str], object]) -> None:
    """Do something for several hosts at once."""
    names = list(names)
    with ThreadPoolExecutor(max_workers=max(1, len(names))) as pool:
        list(pool.map(function, names))


def connects(source: str, target: str, port: int) -> bool:
    """Whether a TCP connection from the lab host SOURCE to a port of the lab host TARGET succeeds."""
    address = state.host(target).address
    done = inside.run(source, ["python3", "-c", _CONNECT, address, str(port)], check=False)
    assert done.returncode == 0 or done.stderr.startswith(f"['{address}'"), f"{source} could not try: {done.stderr}"
    return done.returncode == 0


def open_ports(source: str, places: dict[str, str]) -> set[str]:
    """Those of the services that SOURCE can connect to."""
    return {service for service, place in places.items() if connects(source, place, PORTS[service])}


def token() -> str:
    """The sysadmin's API token."""
    return inside.run("portal", ["cat", "/etc/ckan/default/sysadmin-token"]).stdout.strip()
