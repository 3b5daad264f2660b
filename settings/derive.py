"""What follows from valid settings and the inventory: the settings objects of all hosts."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from pydantic import ValidationError

from settings import derive_storage
from settings.base import BaseSettings, least_memory
from settings.ckan import TRUE, CkanSettings
from settings.component import Component
from settings.dcor import DcorSettings
from settings.develop import DevelopSettings, locked_tags
from settings.direct import direct
from settings.firewall import FirewallSettings
from settings.host import HostSettings
from settings.inventory_checks import SERVICES, STORAGE
from settings.locks import schema
from settings.nginx import NginxSettings
from settings.origin import Problem
from settings.patching import PatchingSettings
from settings.portal import PortalSettings
from settings.postgresql import PostgresqlSettings
from settings.redis import RedisSettings
from settings.scheduled import ScheduledSettings
from settings.solr import SolrSettings
from settings.tls import TlsSettings, provided_paths, self_signed_paths
from settings.uwsgi import STOP_SECONDS, UwsgiSettings
from settings.values import Values
from settings.wanted import Secrets
from settings.workers import WorkersSettings

LOOPBACK = "127.0.0.1"

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

        base = {name: self.base(name) for name in values.hosts()}
        portal = self.build(PortalSettings, portal_host)
        develop = self.build(DevelopSettings, portal_host, tags=locked_tags())
        postgresql = self.build(
            PostgresqlSettings,
            places["postgresql"],
            password=self.secrets.get("postgresql_password"),
            bind=binds["postgresql"],
            clients=users["postgresql"],
            leave_behind=str(values["ckan_database_leave_behind"]),
            tests=develop.enabled,
        )
        redis = self.build(
            RedisSettings,
            places["redis"],
            password=self.secrets.get("redis_password"),
            bind=binds["redis"],
            clients=users["redis"],
        )
        solr = self.build(
            SolrSettings,
            places["solr"],
            bind=reach["solr"],
            clients=users["solr"],
            schema_requirement=schema()["requirement"],
            schema_sha256=schema()["sha256"],
        )
        paths_of = provided_paths if values["tls_source"] == "provided" else self_signed_paths
        certificate, key = paths_of(portal.fqdn)
        minio, object_storage = derive_storage.storage(self, portal, portal_host, (certificate, key))
        storage_host = next(iter(values.members(STORAGE)), "")
        dcor = self.build(DcorSettings, portal_host) if portal.flavour == "dcor" else None
        ckan = self.build(
            CkanSettings,
            portal_host,
            flavour=portal.flavour,
            fqdn=portal.fqdn,
            upload_limit=portal.upload_limit,
            version=schema()["version"],
            develop=develop.enabled,
            secret_key=self.secrets.get("ckan_secret_key"),
            api_token_secret=self.secrets.get("ckan_api_token_secret"),
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
            program_variables={
                **base[portal_host].without_proxy,
                **(dcor.environment if dcor else {}),
                **(object_storage.environment if object_storage else {}),
            },
        )
        local = tuple(service for service in SERVICES if service != "portal" and not users[service])
        workers = self.build(WorkersSettings, portal_host, flavour=portal.flavour)
        options = ckan.all_options
        scheduled = self.build(
            ScheduledSettings,
            portal_host,
            flavour=portal.flavour,
            tracks="tracking" in ckan.all_plugins,
            notifies="activity" in ckan.all_plugins
            and options.get("ckan.activity_streams_email_notifications", "").lower() in TRUE
            and bool(ckan.smtp_server),
        )
        uwsgi = self.build(
            UwsgiSettings,
            portal_host,
            upload_limit=portal.upload_limit,
            local_services=local,
            stop_seconds=STOP_SECONDS + workers.stop_time + 30,
        )
        ports = {"postgresql": postgresql.port, "redis": redis.port, "solr": solr.port}
        firewall = {
            name: self.build(
                FirewallSettings,
                name,
                ports=(
                    *(
                        {"service": service, "port": port, "clients": users[service] if name == places[service] else ()}
                        for service, port in ports.items()
                    ),
                    *([{"service": "uwsgi", "port": uwsgi.port}] if name == portal_host else []),
                    *(
                        [{"service": "minio console", "port": minio.console_port}]
                        if minio and name == storage_host
                        else []
                    ),
                ),
            )
            for name in values.hosts()
        }
        tls = self.build(
            TlsSettings,
            portal_host,
            fqdn=portal.fqdn,
            aliases=values["nginx_aliases"],
            address=address["portal"],
            certificate_path=certificate,
            key_path=key,
            key=self.secrets.get("tls_key"),
        )
        for name, component in (("tls_key", tls), ("minio_tls_key", minio)):
            if component and (problem := component.wrong_key):
                self.problems.append(Problem(problem, self.secrets.origin(name), (name,)))
        nginx = self.build(
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
                base=base[name],
                patching=self.build(
                    PatchingSettings,
                    name,
                    smtp_password=self.secrets.get("patching_smtp_password", name)
                    if values.of(name, "patching_smtp_user")
                    else None,
                ),
                firewall=firewall[name],
                postgresql=postgresql if name == places["postgresql"] else None,
                redis=redis if name == places["redis"] else None,
                solr=solr if name == places["solr"] else None,
                minio=minio if name == storage_host else None,
                object_storage=object_storage if name == portal_host else None,
                ckan=ckan if name == portal_host else None,
                dcor=dcor if name == portal_host else None,
                develop=develop if name == portal_host and develop.enabled else None,
                uwsgi=uwsgi if name == portal_host else None,
                workers=workers if name == portal_host else None,
                scheduled=scheduled if name == portal_host else None,
                tls=tls if name == portal_host else None,
                nginx=nginx if name == portal_host else None,
            )
            for name in values.hosts()
        }

    def base(self, host: str) -> BaseSettings:
        """Make the settings of what every host has; how much memory it needs follows from what is on it."""
        least = self.values.of(host, "base_minimum_memory")
        if least is None:
            groups = [group for group in (*SERVICES, STORAGE) if host in self.values.members(group)]
            least = least_memory(self.values["portal_flavour"], groups)
        return self.build(BaseSettings, host, minimum_memory=least, direct=direct(self.values, host))

    def build(self, component: type[C], host: str, **computed: Any) -> C:
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
            return component(**{**given, **computed})
        except ValidationError as error:
            for item in error.errors():
                name = component.name(str(item["loc"][0]))
                says = item["msg"].removeprefix("Value error, ")
                if self.secrets.get(name, host) is not None:  # a missing one is a problem already
                    where = self.secrets.origin(name, host)
                    self.problems.append(Problem(f"the secret {name} {says}; enter another", where, (name,)))
            unknown = {field: None for field, info in component.model_fields.items() if info.is_required()}
            return cast(C, component.model_construct(**{**unknown, **given, **computed}))
