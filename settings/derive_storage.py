"""What follows for the object storage: MinIO's settings on its host, and the portal's of whichever it uses."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from settings.component import Component
from settings.inventory_checks import STORAGE
from settings.minio import CERTIFICATE, KEY, MinioSettings
from settings.object_storage import CA_CERTIFICATE, ObjectStorageSettings, chain_needs_trust
from settings.portal import PortalSettings
from settings.values import Values
from settings.wanted import Secrets

C = TypeVar("C", bound=Component)


class Builder(Protocol):
    """What is used of a ``settings.derive.Derivation``."""

    values: Values
    secrets: Secrets

    def build(self, component: type[C], host: str, **computed: Any) -> C:
        """Make the settings object of COMPONENT from HOST's data and COMPUTED values."""


def storage(
    builder: Builder, portal: PortalSettings, portal_host: str, shown: tuple[str, str]
) -> tuple[MinioSettings | None, ObjectStorageSettings | None]:
    """Return the settings of MinIO, None without it, and those of the portal's object storage, None for a plain CKAN.

    + shown: paths of the certificate and the key that the portal shows; MinIO on its host shows them, too
    """
    if portal.flavour != "dcor":
        return None, None
    values, secrets = builder.values, builder.secrets
    host = next(iter(values.members(STORAGE)), "")
    if not host:
        source = values["object_storage_ca_file"]
        external = builder.build(
            ObjectStorageSettings,
            portal_host,
            kind="external",
            secret_access_key=secrets.get("object_storage_secret_access_key"),
            ca_source=source,
            ca_certificate=CA_CERTIFICATE if source else "",
        )
        return None, external
    fqdn, (certificate, key) = portal.fqdn, shown
    if host != portal_host:
        fqdn, (certificate, key) = values["object_storage_fqdn"], (CERTIFICATE, KEY)
    minio = builder.build(
        MinioSettings,
        host,
        root_password=secrets.get("minio_root_password"),
        secret_access_key=secrets.get("minio_secret_access_key"),
        tls_key=secrets.get("minio_tls_key"),
        fqdn=fqdn,
        certificate_path=certificate,
        key_path=key,
    )
    source, trusted = _trust(values, minio, host == portal_host, shown[0])
    used = builder.build(
        ObjectStorageSettings,
        portal_host,
        kind="minio",
        endpoint=minio.url,
        access_key_id=minio.access_key_id,
        secret_access_key=minio.secret_access_key,
        ca_source=source,
        ca_certificate=trusted,
    )
    return minio, used


def _trust(values: Values, minio: MinioSettings, on_portal: bool, shown: str) -> tuple[str, str]:
    """Return what CKAN must trust in addition: a file on this machine, and one on the portal's host; "" for nothing."""
    if on_portal and values["tls_source"] == "self-signed":
        return "", shown
    source = values["tls_certificate_file"] if on_portal else minio.certificate_file
    return (source, CA_CERTIFICATE) if source and chain_needs_trust(source) else ("", "")
