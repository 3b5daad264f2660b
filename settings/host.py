"""What the settings of one host are made of."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api.exceptions import PyinfraError

from settings.base import BaseSettings
from settings.ckan import CkanSettings
from settings.component import Component, SecretSpec
from settings.dcor import DcorSettings
from settings.develop import DevelopSettings
from settings.firewall import FirewallSettings
from settings.machine import MachineSettings, SecretsSettings
from settings.minio import MinioSettings
from settings.nginx import NginxSettings
from settings.object_storage import ObjectStorageSettings
from settings.patching import PatchingSettings
from settings.portal import PortalSettings
from settings.postgresql import PostgresqlSettings
from settings.redis import RedisSettings
from settings.scheduled import ScheduledSettings
from settings.solr import SolrSettings
from settings.tls import TlsSettings
from settings.uwsgi import UwsgiSettings
from settings.workers import WorkersSettings

COMPONENTS: tuple[type[Component], ...] = (
    PortalSettings,
    BaseSettings,
    PatchingSettings,
    FirewallSettings,
    PostgresqlSettings,
    RedisSettings,
    SolrSettings,
    MinioSettings,
    ObjectStorageSettings,
    CkanSettings,
    DcorSettings,
    DevelopSettings,
    UwsgiSettings,
    WorkersSettings,
    ScheduledSettings,
    TlsSettings,
    NginxSettings,
)


# All that can be set: the components, and what belongs to none.
SCHEMA: tuple[type[Component], ...] = (MachineSettings, SecretsSettings, *COMPONENTS)


def secrets_declared() -> dict[str, SecretSpec]:
    """Return all secrets that the components declare, by their full names."""
    return {name: spec for component in COMPONENTS for name, spec in component.secrets().items()}


class SettingsError(PyinfraError):
    """Everything that is wrong with the settings of an inventory, one sentence a line."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = problems
        super().__init__("\n".join(["the settings are not complete or not right; nothing was changed:", *problems]))


@dataclass(frozen=True)
class HostSettings:
    """Settings of the components that one host has; None where it has not that component."""

    address: str
    base: BaseSettings
    patching: PatchingSettings
    firewall: FirewallSettings
    postgresql: PostgresqlSettings | None = None
    redis: RedisSettings | None = None
    solr: SolrSettings | None = None
    minio: MinioSettings | None = None
    object_storage: ObjectStorageSettings | None = None
    ckan: CkanSettings | None = None
    dcor: DcorSettings | None = None
    develop: DevelopSettings | None = None
    uwsgi: UwsgiSettings | None = None
    workers: WorkersSettings | None = None
    scheduled: ScheduledSettings | None = None
    tls: TlsSettings | None = None
    nginx: NginxSettings | None = None
