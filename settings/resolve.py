"""Resolve the settings of all hosts of an inventory at once, or say everything that is wrong with them.

The result is one frozen object per host that holds a settings object for each of its components. Nothing here
asks a host: everything comes from the inventory, group data and the secret store.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from pyinfra.api import Inventory

from settings.asking import ask
from settings.base import BaseSettings
from settings.ckan import CkanSettings
from settings.component import Component
from settings.firewall import FirewallSettings
from settings.host import COMPONENTS, HostSettings, SettingsError
from settings.inventory_checks import GROUPS, SERVICES, members, wrong_address, wrong_groups, wrong_names
from settings.locks import schema
from settings.nginx import NginxSettings
from settings.portal import PortalSettings
from settings.postgresql import PostgresqlSettings
from settings.redis import RedisSettings
from settings.secret import Secret
from settings.solr import SolrSettings
from settings.sources import HostSource, from_inventory
from settings.store import FOLDER, SecretStore
from settings.tls import TlsSettings
from settings.uwsgi import UwsgiSettings

LOOPBACK = "127.0.0.1"
_CERTIFICATES = "/etc/ssl/certs"
_KEYS = "/etc/ssl/private"

C = TypeVar("C", bound=Component)


@cache
def of_inventory(inventory: Inventory) -> dict[str, HostSettings]:
    """Return the settings of all hosts of a pyinfra inventory by name, resolved once. Raises ``SettingsError``."""
    hosts = from_inventory(inventory)
    store = store_for(hosts)
    ask(store, lambda outline: resolve(hosts, outline))
    return resolve(hosts, store)


def resolve(hosts: Mapping[str, HostSource], store: SecretStore) -> dict[str, HostSettings]:
    """Return the settings of all HOSTS by name.

    Raises ``SettingsError`` with all problems at once: unknown or derived names, wrong values, missing secrets and
    addresses, groups without their host.
    """
    return _Resolution(hosts, store).run()


def store_for(hosts: Mapping[str, HostSource]) -> SecretStore:
    """Return the secret store of the inventory: its file in ``secrets_folder``, by default ``inventory/secrets``.

    The environment is the inventory's own group: pyinfra puts all hosts into one of the file's name, after others. In
    the lab ``secrets_generate`` has the store make what is missing.
    """
    host = next(iter(hosts.values()), HostSource((), ()))
    own = [group for group in host.groups if group not in GROUPS and not group.startswith("@")]  # @: a connector's
    environment = own[-1] if own else "default"
    folder = Path(host.data.get("secrets_folder", FOLDER))
    return SecretStore(folder, environment, generate=bool(host.data.get("secrets_generate", False)))


class _Resolution:
    """One resolution; collects problems instead of stopping at the first."""

    def __init__(self, hosts: Mapping[str, HostSource], store: SecretStore) -> None:
        self.hosts = hosts
        self.store = store
        self.problems: list[str] = []
        self.failures: list[ValidationError] = []
        self.secrets: dict[str, Secret | None] = {}

    def run(self) -> dict[str, HostSettings]:
        for name, host in self.hosts.items():
            self.problems += [*wrong_names(host, COMPONENTS), *wrong_address(name, host)]
        groups = list(wrong_groups(self.hosts))
        self.problems += groups
        result = {} if groups else self._components({service: members(self.hosts, service)[0] for service in SERVICES})
        self.problems += self.store.problems
        if self.problems:
            raise SettingsError(list(dict.fromkeys(self.problems)))
        if self.failures:
            raise self.failures[0]
        return result

    def _components(self, places: dict[str, str]) -> dict[str, HostSettings]:
        portal_host = places["portal"]
        address = {service: str(self.hosts[place].data.get("address")) for service, place in places.items()}
        portal = self._build(PortalSettings, portal_host)
        users = {  # addresses of other hosts that use a service: the portal, unless it is the same host
            service: () if place == portal_host else (address["portal"],) for service, place in places.items()
        }
        reach = {service: address[service] if users[service] else LOOPBACK for service in places}
        binds = {service: (LOOPBACK, reach[service]) if users[service] else (LOOPBACK,) for service in places}

        postgresql = self._build(
            PostgresqlSettings,
            places["postgresql"],
            password=self._secret("postgresql_password"),
            bind=binds["postgresql"],
            clients=users["postgresql"],
        )
        redis = self._build(
            RedisSettings,
            places["redis"],
            password=self._secret("redis_password") if users["redis"] else None,
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
        base = {name: self._build(BaseSettings, name) for name in self.hosts}
        data = self.hosts[portal_host].data
        ckan = self._build(
            CkanSettings,
            portal_host,
            fqdn=portal.fqdn,
            upload_limit=portal.upload_limit,
            version=schema()["version"],
            secret_key=self._secret("ckan_secret_key"),
            smtp_password=self._secret("ckan_smtp_password") if data.get("ckan_smtp_user") else None,
            sysadmin_password=self._secret("ckan_sysadmin_password") if data.get("ckan_sysadmin") else None,
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
        local = tuple(service for service in ("postgresql", "redis", "solr") if not users[service])
        uwsgi = self._build(UwsgiSettings, portal_host, upload_limit=portal.upload_limit, local_services=local)
        # A certificate from files stands beside the self-signed one, whose key people may have pinned. Not *.pem: the
        # host itself would come to trust it (openssl rehash).
        stem = f"{portal.fqdn}.provided" if data.get("tls_source") == "files" else portal.fqdn
        certificate, key = f"{_CERTIFICATES}/{stem}.cert", f"{_KEYS}/{stem}.key"
        inner = {"postgresql": postgresql.port, "redis": redis.port, "solr": solr.port}
        firewall = {
            name: self._build(
                FirewallSettings,
                name,
                ports=(
                    *(
                        {"service": service, "port": port, "clients": users[service] if name == places[service] else ()}
                        for service, port in inner.items()
                    ),
                    *([{"service": "uwsgi", "port": uwsgi.port}] if name == portal_host else []),
                ),
            )
            for name in self.hosts
        }
        tls = self._build(
            TlsSettings,
            portal_host,
            fqdn=portal.fqdn,
            aliases=tuple(data.get("nginx_aliases", ())),
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
                address=str(self.hosts[name].data.get("address")),
                base=own_base,
                firewall=firewall[name],
                postgresql=postgresql if name == places["postgresql"] else None,
                redis=redis if name == places["redis"] else None,
                solr=solr if name == places["solr"] else None,
                ckan=ckan if name == portal_host else None,
                uwsgi=uwsgi if name == portal_host else None,
                tls=tls if name == portal_host else None,
                nginx=nginx if name == portal_host else None,
            )
            for name, own_base in base.items()
        }

    def _build(self, component: type[C], host: str, **computed: Any) -> C:
        """Make the settings object of COMPONENT from HOST's data and COMPUTED values.

        When something is wrong it is noted, and an object that was not checked stands in, so that the search for
        problems goes on; it never leaves this class.
        """
        data = self.hosts[host].data
        names = {field: f"{component.prefix}_{field}" for field in component.model_fields}
        values = {field: data[name] for field, name in names.items() if name in data} | computed
        try:
            return component(**values)
        except ValidationError as error:
            self.failures.append(error)
            for item in error.errors():
                if not item["loc"]:  # settings that do not fit together
                    self.problems.append(item["msg"].removeprefix("Value error, "))
                    continue
                field = str(item["loc"][0])
                given = component.kind(field) == "entered" and computed.get(field) is not None
                if field not in computed or given:  # a computed value is wrong because of another
                    self._explain(component, host, item)
            return cast(C, component.model_construct(**(dict.fromkeys(component.model_fields) | values)))

    def _explain(self, component: type[Component], host: str, item: Any) -> None:
        place = ".".join(str(part) for part in item["loc"]) or "?"
        name = f"{component.prefix}_{place}"
        top = f"{component.prefix}_{item['loc'][0]}" if item["loc"] else name
        if item["type"] == "missing":
            description = component.model_fields[str(item["loc"][0])].description
            self.problems.append(f"{name} is missing for {host}: {description}; set it in group_data/ or the inventory")
            return
        source = self.hosts[host]
        value = source.data.get(top)
        shown = "" if value is None or isinstance(value, Secret) else f" = {value!r}"
        origin = "from the secret store" if top in self.secrets else source.origin(top)
        self.problems.append(f"{name}{shown} ({origin}): {item['msg'].removeprefix('Value error, ')}")

    def _secret(self, name: str) -> Secret | None:
        if name not in self.secrets:
            self.secrets[name] = self.store.get(name)
        return self.secrets[name]
