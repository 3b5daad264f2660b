"""Settings of the component firewall."""

from __future__ import annotations

from ipaddress import ip_network
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, field_validator

from settings.component import Component, configured, derived


class InnerPort(BaseModel):
    """A TCP port for the hosts of the portal only: which service has it, and the other hosts' addresses."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    service: str
    port: int
    clients: tuple[str, ...] = ()


class FirewallSettings(Component):
    """Who reaches the ports of the inner services: PostgreSQL, Redis, Solr and uWSGI."""

    prefix: ClassVar[str] = "firewall"

    clients: tuple[str, ...] = configured(
        (), "More addresses or networks that may reach the inner services (monitoring, backup)"
    )
    ports: tuple[InnerPort, ...] = derived("Ports of the inner services, and the hosts that use them")

    @field_validator("clients")
    @classmethod
    def _networks(cls, clients: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(str(ip_network(client)) for client in clients)
        except ValueError as error:
            raise ValueError(f"{error}; write addresses or networks, as 192.0.2.9 or 192.0.2.0/24") from None
