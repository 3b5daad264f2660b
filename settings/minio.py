"""Settings of the component minio: an object storage of our own, on the host in group object_storage."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar

from pydantic import Field

from settings import provided
from settings.component import Component, configured, derived, secret
from settings.rule import Clash, View
from settings.secret import Secret

# The last release that the vendor built; its digest as others pin it who took it from there.
_VERSION = "RELEASE.2025-09-07T16-13-09Z"
_SHA256 = "7c5bd8512c6e966455b1d198209358b2d191c77a83ab377c4073281065fb855f"


# Where its own certificate and key stand, whatever its name: what goes with MinIO must be known without its settings.
CERTIFICATE = "/etc/ssl/certs/ckan-deploy-minio.cert"  # not *.pem: the host itself would come to trust it
KEY = "/etc/ssl/private/ckan-deploy-minio.key"


class MinioSettings(Component):
    """MinIO: an object storage on the host in group object_storage, for tests and small portals.

    Its vendor maintains it no longer: docs/object-storage.md says what that means, and the ways out. On the portal's
    host it shows the portal's certificate; on a host of its own, one from a file, whose key is a secret.
    """

    prefix: ClassVar[str] = "minio"
    group: ClassVar[str] = "object_storage"

    version: str = configured(
        _VERSION,
        "Release",
        allowed="a release as RELEASE.2025-09-07T16-13-09Z",
        pattern=r"^[A-Z]+\.[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}-[0-9]{2}-[0-9]{2}Z$",
    )
    sha256: str = configured(
        _SHA256,
        "SHA-256 of minio.linux-amd64.VERSION",
        allowed="64 hexadecimal digits in lower case",
        pattern=r"^[0-9a-f]{64}$",
    )
    mirror: str = configured(
        "https://github.com/minio/minio/releases/download",
        "Where VERSION/minio.linux-amd64.VERSION is downloaded",
        allowed="a URL",
        pattern=r"^https?://\S+$",
    )
    port: int = configured(9000, "TCP port, open to everybody: users upload to it", ge=1024, le=65535)
    console_port: int = configured(9001, "TCP port of its web console, on loopback", ge=1024, le=65535)
    data: str = configured(
        "/srv/minio",
        "Folder of all data; it may be a mount of its own",
        allowed="an absolute path without blanks",
        pattern=r"^/\S+$",
    )
    mounts: tuple[Annotated[str, Field(pattern=r"^/\S+$")], ...] = configured(
        (),
        "Mount points of its disks; the run stops, and MinIO does not start, while one is not mounted",
        allowed="a list; each an absolute path without blanks",
        example=["/srv/minio"],
    )
    root_user: str = configured(
        "minio-root",
        "Name of its administrator",
        allowed="3 to 64 letters, digits, _ and -",
        pattern=r"^[A-Za-z0-9_-]{3,64}$",
    )
    root_password: Secret = secret(
        "Password of its administrator",
        rotation="The next run writes /etc/default/minio and restarts MinIO, which is away for one start. CKAN's own "
        "key stays as it is.",
        pattern=r"[A-Za-z0-9._~+/=@-]{8,}",
        allowed="at least 8 letters, digits and characters of ._~+/=@-",
    )
    access_key_id: str = configured(
        "dcor-ckan",
        "Access key that CKAN uses; no secret, since it stands in every link to a file",
        allowed="3 to 20 letters, digits, _ and -",
        pattern=r"^[A-Za-z0-9_-]{3,20}$",
    )
    secret_access_key: Secret = secret(
        "Secret of that access key",
        rotation="The next run gives it to MinIO, writes ckan.ini and restarts CKAN and its workers, which are away "
        "for one start. In between CKAN cannot reach its files. Links that were handed out before are void.",
        length=40,
        pattern=r"[!-~]{8,40}",
        allowed="8 to 40 characters of ASCII without blanks",
    )
    certificate_file: str = configured(
        "",
        "Path on this machine of the PEM chain that it shows on a host of its own: the server's certificate first",
        example="certificates/s3.example.org.pem",
    )
    tls_key: Secret | None = provided.key(
        "PEM key of MinIO's certificate; needed only on a host of its own",
        rotation="Have a certificate issued for the new key, and put its chain into minio_certificate_file at the same "
        "time: the run stops before any change when the two do not belong together. MinIO restarts, and is away for "
        "one start; CKAN restarts only where it must come to trust another root.",
    )

    fqdn: str = derived(
        "Name under which users reach it",
        "the portal's on the portal's host, else object_storage_fqdn",
        "portal_fqdn object_storage_fqdn groups",
    )
    certificate_path: str = derived(
        "Where the chain that it shows stands on its host",
        "the portal's on the portal's host, else one of its own",
        "tls_certificate_path groups",
    )
    key_path: str = derived(
        "Where the key of that stands on its host",
        "the portal's on the portal's host, else one of its own",
        "tls_key_path groups",
    )

    @property
    def chain_text(self) -> str:
        """PEM of its own chain; empty where it shows the portal's."""
        return provided.chain_text(self.certificate_file)

    @property
    def wrong_key(self) -> str:
        """Say why its own key cannot be used with its chain; empty when it can, or is not known here."""
        return provided.wrong_key(self.certificate_file, self.tls_key, "minio_tls_key")

    @property
    def url(self) -> str:
        """URL under which CKAN and its users reach it."""
        return f"https://{self.fqdn}:{self.port}"


def version_and_checksum(view: View) -> Iterator[Clash]:
    """A checksum is of one release."""
    if view["minio_version"] != _VERSION and view["minio_sha256"] == _SHA256:
        yield Clash(
            ("minio_version", "minio_sha256"),
            f"the checksum is that of {_VERSION}; set minio_sha256 to that of "
            f"minio.linux-amd64.{view['minio_version']}, which stands beside it where it is downloaded (.sha256sum)",
        )


def own_certificate(view: View) -> Iterator[Clash]:
    """On a host of its own MinIO shows a certificate from a file, for its name; on the portal's, that of the portal."""
    name = "minio_certificate_file"
    apart = view.members("object_storage") != view.members("portal")
    if view["portal_flavour"] != "dcor":
        return
    if apart and not view[name]:
        yield Clash((name,), f"on a host of its own MinIO shows a certificate from a file; set {name}")
    elif view[name] and not apart:
        yield Clash((name,), f"on the portal's host MinIO shows the portal's certificate; remove {name}")
    elif (
        apart
        and (fqdn := view["object_storage_fqdn"])
        and (problem := provided.cannot_be_served(view[name], (fqdn,)))  # its key is looked at when that is opened
    ):
        yield Clash((name,), problem)


RULES = (version_and_checksum, own_certificate)
