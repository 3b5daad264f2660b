"""What follows from valid settings and the inventory: the settings objects of all hosts."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from pydantic import ValidationError

from settings.base import BaseSettings
from settings.ckan import CkanSettings
from settings.component import Component
from settings.firewall import FirewallSettings
from settings.host import HostSettings
from settings.inventory_checks import SERVICES
from settings.locks import schema
from settings.nginx import NginxSettings
from settings.origin import Problem
from settings.portal import PortalSettings
from settings.postgresql import PostgresqlSettings
from settings.redis import RedisSettings
from settings.solr import SolrSettings
from settings.tls import TlsSettings
from settings.uwsgi import UwsgiSettings
from settings.values import Values
from settings.wanted import Secrets

LOOPBACK = "127.0.0.1"
_CERTIFICATES = "/etc/ssl/certs"
_KEYS = "/etc/ssl/private"

C = TypeVar("C", bound=Component)


class Derivation:
    """Makes the settings objects of all hosts. Its problems are those of secrets; all else was checked before."""

    def __init__(self, values: Values, secrets: Secrets) -> None:
        self.values = values
        self.secrets = secrets
        self.problems: list[Problem] = []

    def run(self) -> dict[str, HostSettings]:
        """Return the settings of all hosts by name. Raises ``settings.rule.Unknown`` when a value is wrong."""
        values = self.values
        places = {service: values.host_in(service) for service in SERVICES}
        portal_host = places["portal"]
        address = {service: values.of(place, "address") for service, place in places.items()}
        users = {  # addresses of other hosts that use a service: the portal, unless it is the same host
            service: () if place == portal_host else (address["portal"],) for service, place in places.items()
        }
        reach = {service: address[service] if users[service] else LOOPBACK for service in places}
        binds = {service: (LOOPBACK, reach[service]) if users[service] else (LOOPBACK,) for service in places}

        portal = self._build(PortalSettings, portal_host)
        postgresql = self._build(
            PostgresqlSettings,
            places["postgresql"],
            password=self.secrets.get("postgresql_password"),
            bind=binds["postgresql"],
            clients=users["postgresql"],
        )
        redis = self._build(
            RedisSettings,
            places["redis"],
            password=self.secrets.get("redis_password"),
            bind=binds["redis"],
            clients=users["redis"],
        )
        solr = self._build(
            SolrSettings,
            places["solr"],
            bind=reach["solr"],
            clients=users["solr"],
            schema_requirement=schema()["requirement"],
            schema_sha256=schema()["sha256"],
        )
        ckan = self._build(
            CkanSettings,
            portal_host,
            fqdn=portal.fqdn,
            upload_limit=portal.upload_limit,
            version=schema()["version"],
            secret_key=self.secrets.get("ckan_secret_key"),
            smtp_password=self.secrets.get("ckan_smtp_password"),
            sysadmin_password=self.secrets.get("ckan_sysadmin_password"),
            database_host=reach["postgresql"],
            database_port=postgresql.port,
            database_role=postgresql.role,
            database_name=postgresql.database,
            database_password=postgresql.password,
            redis_host=reach["redis"],
            redis_port=redis.port,
            redis_password=redis.password,
            solr_url=solr.url,
            solr_schema=solr.schema_sha256,
        )
        local = tuple(service for service in SERVICES if service != "portal" and not users[service])
        uwsgi = self._build(UwsgiSettings, portal_host, upload_limit=portal.upload_limit, local_services=local)
        # A certificate from files stands beside the self-signed one, whose key people may have pinned. Not *.pem: the
        # host itself would come to trust it (openssl rehash).
        stem = f"{portal.fqdn}.provided" if values["tls_source"] == "files" else portal.fqdn
        certificate, key = f"{_CERTIFICATES}/{stem}.cert", f"{_KEYS}/{stem}.key"
        ports = {"postgresql": postgresql.port, "redis": redis.port, "solr": solr.port}
        firewall = {
            name: self._build(
                FirewallSettings,
                name,
                ports=(
                    *(
                        {"service": service, "port": port, "clients": users[service] if name == places[service] else ()}
                        for service, port in ports.items()
                    ),
                    *([{"service": "uwsgi", "port": uwsgi.port}] if name == portal_host else []),
                ),
            )
            for name in values.hosts()
        }
        tls = self._build(
            TlsSettings,
            portal_host,
            fqdn=portal.fqdn,
            aliases=values["nginx_aliases"],
            addresses=(address["portal"],),
            certificate_path=certificate,
            key_path=key,
        )
        nginx = self._build(
            NginxSettings,
            portal_host,
            flavour=portal.flavour,
            fqdn=portal.fqdn,
            upstream=f"{LOOPBACK}:{uwsgi.port}",
            upload_limit=portal.upload_limit,
            certificate_path=certificate,
            key_path=key,
            self_signed=tls.source == "self-signed",
        )
        return {
            name: HostSettings(
                address=values.of(name, "address"),
                base=self._build(BaseSettings, name),
                firewall=firewall[name],
                postgresql=postgresql if name == places["postgresql"] else None,
                redis=redis if name == places["redis"] else None,
                solr=solr if name == places["solr"] else None,
                ckan=ckan if name == portal_host else None,
                uwsgi=uwsgi if name == portal_host else None,
                tls=tls if name == portal_host else None,
                nginx=nginx if name == portal_host else None,
            )
            for name in values.hosts()
        }

    def _build(self, component: type[C], host: str, **computed: Any) -> C:
        """Make the settings object of COMPONENT from HOST's data and COMPUTED values.

        When a secret is wrong or missing, an unchecked object is returned so that the search for problems goes on; it
        never leaves this class.
        """
        given = {
            field: self.values.of(host, component.name(field))
            for field in component.model_fields
            if component.name(field) in self.values.picked[host]
        }
        try:
            return component(**given, **computed)
        except ValidationError as error:
            for item in error.errors():
                name = component.name(str(item["loc"][0]))
                says = item["msg"].removeprefix("Value error, ")
                if self.secrets.get(name) is not None:  # a missing one is a problem already
                    where = self.secrets.origin(name)
                    self.problems.append(Problem(f"the secret {name} {says}; enter another", where, (name,)))
            return cast(C, component.model_construct(**{**dict.fromkeys(component.model_fields), **given, **computed}))
