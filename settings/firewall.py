"""Settings of the component firewall."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from settings.component import Component, configured, derived


def _network(client: str) -> str:
    try:
        network = ip_network(client)
    except ValueError as error:
        raise ValueError(f"{error}; write addresses or networks, as 192.0.2.9 or 192.0.2.0/24") from None
    if network.prefixlen == 0:
        raise ValueError(f"{client} is everybody; write the addresses or networks that need it, as 192.0.2.0/24")
    return str(network)


class InnerPort(BaseModel):
    """A TCP port for the hosts of the portal only: which service has it, and the other hosts' addresses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    port: int
    clients: tuple[str, ...] = ()


class FirewallSettings(Component):
    """Who reaches the ports of the inner services: PostgreSQL, Redis, Solr and uWSGI."""

    prefix: ClassVar[str] = "firewall"

    clients: tuple[Annotated[str, AfterValidator(_network)], ...] = configured(
        (),
        "More addresses or networks that may reach the inner services (monitoring, backup)",
        allowed="a list of IP addresses or networks",
        example=["192.0.2.9"],
    )
    ports: tuple[InnerPort, ...] = derived(
        "Ports of the inner services, and the hosts that use them",
        "each service's port, open to the portal's host where that is another one",
        "address postgresql_port redis_port solr_port uwsgi_port groups",
    )
