"""Settings of the object storage as the portal uses it: an external one, or that of the component minio."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Literal

from settings import chain
from settings.component import Component, configured, derived, secret
from settings.portal import FQDN, NAMES
from settings.provided import chain_text, read
from settings.rule import Clash, View
from settings.secret import Secret

CA_BUNDLE = "/etc/ckan-deploy/object-storage-bundle.pem"
CA_CERTIFICATE = "/etc/ckan-deploy/object-storage-ca.pem"

# A bucket's name has 63 characters at most, and an organization's id 36 of them.
_BUCKET = r"^[a-z0-9][a-z0-9-]{0,25}\{organization_id\}$"


class ObjectStorageSettings(Component):
    """Where a DCOR portal keeps its data: an S3-compatible object storage that its users reach, too.

    Either an external one, whose endpoint and key are set here, or MinIO on the host in group object_storage, whose
    endpoint and key follow from its own settings (`minio_…`). A plain CKAN needs none. See docs/object-storage.md.
    """

    prefix: ClassVar[str] = "object_storage"
    group: ClassVar[str] = "portal"

    endpoint: str = configured(
        "",
        "URL of an external object storage, as users reach it; must be empty with MinIO, whose own is used",
        allowed="a URL as https://NAME or https://NAME:PORT, or empty",
        example="https://s3.example.org",
        pattern=r"^(https?://[A-Za-z0-9.:\[\]-]+)?$",
        inputs="portal_fqdn object_storage_fqdn minio_port groups",
    )
    access_key_id: str = configured(
        "",
        "Access key of the external object storage; no secret, since it stands in every link to a file",
        allowed="letters, digits and characters of ._-/+=, or empty",
        example="AKEXAMPLE",
        pattern=r"^[A-Za-z0-9._/+=-]*$",
        inputs="minio_access_key_id groups",
    )
    secret_access_key: Secret | None = secret(
        "Secret of that access key; needed only with object_storage_endpoint",
        generated=False,
        rotation="The next run writes ckan.ini and restarts CKAN and its workers, which are away for one start. Have "
        "the provider make the new key first, set object_storage_access_key_id with it where that is another one, and "
        "remove the former key after the run: links that were handed out before work no longer then.",
        pattern=r"[!-~]+",
        allowed="characters of ASCII without blanks",
    )
    bucket: str = configured(
        "circle-{organization_id}",
        "Name of the bucket of an organization; where portals share a storage, each needs another beginning",
        allowed="up to 26 lower case letters, digits and -, followed by {organization_id}",
        pattern=_BUCKET,
    )
    ssl_verify: bool = configured(
        True, "Check the object storage's certificate; leave it on, and name a private CA in object_storage_ca_file"
    )
    ca_file: str = configured(
        "",
        "Path on this machine of the PEM certificates of a private CA that issued the object storage's certificate",
        allowed="a path, or empty",
        example="certificates/s3-ca.pem",
    )
    fqdn: str = configured(
        "",
        "Name under which MinIO is reached where it has a host of its own; on the portal's host it has the portal's",
        allowed=f"{NAMES}, or empty",
        example="s3.example.org",
        pattern=rf"({FQDN})|^$",
        max_length=253,
    )

    kind: Literal["external", "minio"] = derived(
        "Kind of object storage", "minio where group object_storage has a host, else external", "groups"
    )
    ca_source: str = derived(
        "File on this machine of the private CA's certificates",
        "object_storage_ca_file, or the chain that MinIO shows where it ends in a root of its own",
        "object_storage_ca_file tls_certificate_file minio_certificate_file groups",
    )
    ca_certificate: str = derived(
        "Certificates on the portal's host that CKAN trusts in addition",
        "the portal's self-signed certificate where MinIO shows that, or those of the private CA",
        "object_storage_ca_file tls_source tls_certificate_file minio_certificate_file groups",
    )

    @property
    def ca_bundle(self) -> str:
        """File on the portal's host of all certificates that CKAN trusts; empty: the system's own are enough.

        It is for the environment of CKAN and its workers: AWS_CA_BUNDLE and REQUESTS_CA_BUNDLE.
        """
        return CA_BUNDLE if self.ca_certificate else ""

    @property
    def environment(self) -> dict[str, str]:
        """Variables for CKAN, its workers and its command."""
        return dict.fromkeys(("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"), self.ca_bundle) if self.ca_bundle else {}

    @property
    def ca_text(self) -> str:
        """PEM of the private CA's certificates, from this machine; empty where there is none.

        Of the chain that MinIO shows only the root: another certificate of it concerns MinIO's host alone.
        """
        text = chain_text(self.ca_source)
        return chain.root_text(text, self.ca_source) if text and self.kind == "minio" else text


def chain_needs_trust(path: str) -> bool:
    """Whether the chain in the file PATH ends in a root of its own; False where that cannot be told."""
    try:
        return chain.ends_in_a_root(read(path), path)
    except ValueError:  # which a rule says
        return False


def storage_is_there(view: View) -> Iterator[Clash]:
    """A DCOR portal has one object storage, with an access key."""
    if view["portal_flavour"] != "dcor":
        return
    if view.members("object_storage"):
        for name in ("object_storage_endpoint", "object_storage_access_key_id"):
            if view[name]:
                yield Clash(
                    (name,),
                    "it is for an external object storage, but group object_storage has a host, on which MinIO will "
                    f"be; remove {name}, or take the host out of the group",
                )
    elif not view["object_storage_endpoint"]:
        yield Clash(
            ("portal_flavour", "object_storage_endpoint"),
            "a DCOR portal keeps its data in an object storage; set object_storage_endpoint and "
            "object_storage_access_key_id, or put a host into group object_storage for MinIO",
        )
    elif not view["object_storage_access_key_id"]:
        yield Clash(
            ("object_storage_endpoint", "object_storage_access_key_id"),
            "CKAN needs a key to it; set object_storage_access_key_id",
        )


def own_host_has_a_name(view: View) -> Iterator[Clash]:
    """MinIO on a host of its own has a name of its own, and no other has."""
    hosts, fqdn = view.members("object_storage"), view["object_storage_fqdn"]
    apart = bool(hosts) and hosts != view.members("portal")
    if view["portal_flavour"] != "dcor":
        return
    if apart and not fqdn:
        yield Clash(
            ("object_storage_fqdn",),
            f"users reach MinIO on {hosts[0]} by a name of its own; set object_storage_fqdn, and have it in DNS",
        )
    if fqdn and not apart:
        yield Clash(
            ("object_storage_fqdn",),
            "it is the name of MinIO's own host, but there is none; remove it, or put that host into group "
            "object_storage",
        )


def ca_is_for_https(view: View) -> Iterator[Clash]:
    """The file of a private CA holds certificates, and there is something to check with them."""
    path = view["object_storage_ca_file"]
    if view["portal_flavour"] != "dcor" or not path:
        return
    if view.members("object_storage"):
        yield Clash(
            ("object_storage_ca_file",), "MinIO's certificate is trusted without it; remove it, or the group's host"
        )
    elif not view["object_storage_endpoint"].startswith("https://") or not view["object_storage_ssl_verify"]:
        yield Clash(
            ("object_storage_ca_file", "object_storage_endpoint", "object_storage_ssl_verify"),
            "no certificate is checked; remove it, or use https and object_storage_ssl_verify = True",
        )
    else:
        try:
            chain.certificates(read(path), path)
        except ValueError as error:
            yield Clash(("object_storage_ca_file",), str(error))


RULES = (storage_is_there, own_host_has_a_name, ca_is_for_https)
