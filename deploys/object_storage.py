"""Object storage: MinIO on the host of the group object_storage, and what the portal needs to use whichever it has."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from operations import apt, download, files, minio, minio_identity, python, s3, service, trust, users
from operations.text import render
from settings.locks import lock
from settings.minio import CERTIFICATE, KEY, MinioSettings
from settings.object_storage import CA_BUNDLE, CA_CERTIFICATE, ObjectStorageSettings
from settings.releases import Release

_PROGRAM = "/usr/local/bin/minio"
ENVIRONMENT = "/etc/default/minio"
_UNIT = "minio.service"
_LIBRARY = "/usr/lib/ckan-deploy/minio"  # Python's, for the admin API
_USER, _POLICY = "dcor", "readwrite"  # as DCOR's manual has them


@deploy("Object storage")
def object_storage(settings: MinioSettings, release: Release) -> None:
    """Run MinIO with the user and the access key that CKAN uses; the certificate of a portal on this host is there."""
    files.directory(name=f"Make {minio.FOLDER}", path=minio.FOLDER)
    apt.packages(name="Install what MinIO's set-up needs", packages=["curl", "openssl", "python3-venv"])
    users.system(name="Make MinIO's account", user="minio-user", home="/nonexistent", data=settings.data)
    download.program(
        name="Download MinIO",
        url=f"{settings.mirror}/{settings.version}/minio.linux-amd64.{settings.version}",
        dest=_PROGRAM,
        sha256=settings.sha256,
        hint="minio_sha256 must be that of minio_version as minio_mirror has it",
    )
    files.directory(
        name="Make the folder of MinIO's data", path=settings.data, owner="minio-user", group="minio-user", mode=0o750
    )
    if settings.certificate_file:
        files.install(
            name="Install the key of MinIO's certificate",
            dest=settings.key_path,
            text=render("tls/key.pem.j2", key=settings.tls_key),
            mode=0o600,
        )
        files.install(
            name="Install MinIO's certificate and its chain", dest=settings.certificate_path, text=settings.chain_text
        )
    files.install(
        name="Configure MinIO",
        dest=ENVIRONMENT,
        text=render("minio/environment.j2", settings),
        mode=0o600,  # systemd reads it as root
    )
    files.install(
        name="Describe MinIO's service",
        dest=f"/etc/systemd/system/{_UNIT}",
        text=render("minio/minio.service.j2", settings, environment=ENVIRONMENT),
    )
    service.follow(
        name="Run MinIO with its newest configuration",
        unit=_UNIT,
        reads=[_PROGRAM, ENVIRONMENT, settings.certificate_path, settings.key_path],
    )
    if not settings.certificate_file:  # it shows the portal's now
        files.absent(name="Remove the key of MinIO's former certificate", path=KEY)
        files.absent(name="Remove MinIO's former certificate", path=CERTIFICATE)
    python.environment(
        name="Build the environment of MinIO's admin library", path=_LIBRARY, lock=lock("minio", release.python)
    )
    minio.access(
        name="Set up CKAN's access key",
        path=_LIBRARY,
        port=settings.port,
        fqdn=settings.fqdn,
        certificate=settings.certificate_path,
        data=settings.data,
        root_user=settings.root_user,
        root_password=settings.root_password,
        user=_USER,
        policy=_POLICY,
        key=settings.access_key_id,
        secret=settings.secret_access_key,
    )
    minio_identity.noted(name="Note which object storage MinIO has", data=settings.data)
    python.former_absent(name="Remove the former environment of MinIO's admin library", path=_LIBRARY)


@deploy("Object storage")
def no_object_storage() -> None:
    """Remove MinIO from a host that has none any more. Its data stay: nobody else has them."""
    service.absent(
        name="Remove MinIO",
        unit=_UNIT,
        mark=minio.FOLDER,
        files=[ENVIRONMENT, _PROGRAM, KEY, CERTIFICATE],
        trees=[_LIBRARY, f"{_LIBRARY}.a", f"{_LIBRARY}.b"],
    )


@deploy("Object storage")
def use(settings: ObjectStorageSettings, environment: str, release: Release) -> None:
    """Be called once CKAN's environment is built and before CKAN is configured: a wrong storage changes no portal.

    + environment: CKAN's, which then trusts the storage's certificate
    """
    if settings.secret_access_key is not None:
        s3.check(
            name="Check that the object storage does what DCOR needs",
            path=environment,
            endpoint=settings.endpoint,
            key=settings.access_key_id,
            secret=settings.secret_access_key,
            bucket=settings.bucket,
            verify=settings.ssl_verify,
            ca=settings.ca_certificate,
        )
    if settings.ca_bundle:  # processes that run read it, so not before the storage was found good
        trust.bundle(name="Trust the object storage's certificate", dest=CA_BUNDLE, more=settings.ca_certificate)
    trust.environment(
        name="Have CKAN's libraries trust it",
        path=environment,
        python=release.python,
        bundle=settings.ca_bundle,
    )


@deploy("Object storage")
def known_ca(settings: ObjectStorageSettings) -> None:
    """Have the certificates of a private CA on the portal's host; nobody trusts them yet."""
    if settings.ca_source:
        files.install(name="Install the private CA of the object storage", dest=CA_CERTIFICATE, text=settings.ca_text)


@deploy("Object storage")
def trusted_no_more(settings: ObjectStorageSettings | None) -> None:
    """Remove certificates that CKAN no longer trusts, once it runs without them.

    + settings: None for a plain CKAN, which has no object storage
    """
    if not (settings and settings.ca_source):
        files.absent(name="Remove the private CA of the object storage", path=CA_CERTIFICATE)
    if not (settings and settings.ca_bundle):
        files.absent(name="Remove the certificates trusted for the object storage", path=CA_BUNDLE)
