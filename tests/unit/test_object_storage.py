"""The object storage's settings: external, MinIO on the portal's host, MinIO on a host of its own, none."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from deploys import object_storage
from operations import service
from settings.host import HostSettings
from settings.minio import CERTIFICATE, KEY
from settings.object_storage import CA_BUNDLE, CA_CERTIFICATE
from settings.provided import KEY_STAND_IN
from settings.resolve import examine, resolve
from settings.store import SecretStore
from tests import issued
from tests.unit.test_settings import ONE, Groups, sources

DCOR = {"portal_flavour": "dcor"}
EXTERNAL = {
    **DCOR,
    "object_storage_endpoint": "https://s3.example.org",
    "object_storage_access_key_id": "AKEXAMPLE",
}
HERE = {**ONE, "object_storage": ["data"]}
APART = {**ONE, "object_storage": ["search"]}
FQDN = "s3.example.org"


def said(groups: Groups, data: Mapping[str, Any], folder: Path) -> list[str]:
    store = SecretStore(folder, generate=True)
    return [str(problem) for problem in examine(sources(groups, data), store).problems]


def made(groups: Groups, data: Mapping[str, Any], folder: Path) -> dict[str, HostSettings]:
    return resolve(sources(groups, data), SecretStore(folder / "secrets", generate=True))


def certificate(folder: Path, monkeypatch: pytest.MonkeyPatch, fqdn: str = FQDN) -> dict[str, str]:
    """Settings of MinIO with a self-signed certificate for FQDN, whose key the environment gives."""
    made = issued.self_signed(fqdn)
    monkeypatch.setenv("CKAN_DEPLOY_SECRET_MINIO_TLS_KEY", made.key)
    return {"minio_certificate_file": made.write(folder)}


@pytest.mark.parametrize("groups", [ONE, HERE])
def test_a_plain_ckan_has_none(groups: Groups, tmp_path: Path) -> None:
    (host,) = made(groups, {}, tmp_path).values()
    assert (host.object_storage, host.minio) == (None, None)
    assert not [port for port in host.firewall.ports if port.service.startswith("minio")]


def test_an_external_one(tmp_path: Path) -> None:
    (host,) = made(ONE, EXTERNAL, tmp_path).values()
    assert host.minio is None and host.object_storage is not None
    used = host.object_storage
    assert (used.kind, used.endpoint, used.access_key_id) == ("external", "https://s3.example.org", "AKEXAMPLE")
    assert used.secret_access_key is not None
    assert (used.bucket, used.ssl_verify, used.ca_bundle) == ("circle-{organization_id}", True, "")


def test_an_external_one_of_a_private_ca(tmp_path: Path) -> None:
    path = issued.self_signed(FQDN).write(tmp_path)
    (host,) = made(ONE, {**EXTERNAL, "object_storage_ca_file": path}, tmp_path).values()
    assert host.object_storage
    assert (host.object_storage.ca_bundle, host.object_storage.ca_certificate) == (CA_BUNDLE, CA_CERTIFICATE)
    assert host.object_storage.ca_text == Path(path).read_text()


def test_minio_on_the_portals_host_shows_the_portals_certificate(tmp_path: Path) -> None:
    (host,) = made(HERE, {**DCOR, "minio_port": 9100}, tmp_path).values()
    assert host.minio and host.object_storage and host.tls
    assert host.minio.certificate_path == host.tls.certificate_path
    assert host.minio.key_path == host.tls.key_path
    assert host.object_storage.endpoint == "https://data.example.org:9100"
    assert host.object_storage.secret_access_key is host.minio.secret_access_key
    assert host.object_storage.access_key_id == host.minio.access_key_id
    assert host.object_storage.ca_certificate == host.tls.certificate_path, "it is self-signed"
    assert [port.port for port in host.firewall.ports if port.service == "minio console"] == [9001]


def test_minio_with_the_portals_provided_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = issued.self_signed("data.example.org")
    tls = {"tls_source": "provided", "tls_certificate_file": certificate.write(tmp_path)}
    monkeypatch.setenv("CKAN_DEPLOY_SECRET_TLS_KEY", certificate.key)
    (host,) = made(HERE, {**DCOR, **tls}, tmp_path).values()
    assert host.minio and host.object_storage and host.tls
    assert host.minio.certificate_path == host.tls.certificate_path
    assert host.object_storage.ca_certificate == CA_CERTIFICATE, "it ends in a root of its own"
    assert host.object_storage.ca_text == host.tls.chain_text


def test_minio_on_a_host_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = certificate(tmp_path, monkeypatch)
    found = made(APART, {**DCOR, **files, "object_storage_fqdn": FQDN}, tmp_path)
    portal, storage = found["data"], found["search"]
    assert portal.minio is None and storage.object_storage is None
    assert portal.object_storage and storage.minio
    assert portal.object_storage.endpoint == f"https://{FQDN}:9000"
    assert portal.object_storage.ca_text == storage.minio.chain_text
    assert (storage.minio.certificate_path, storage.minio.key_path) == (CERTIFICATE, KEY)
    assert storage.minio.tls_key is not None and "BEGIN" not in repr(storage.minio)


@pytest.mark.parametrize("groups", [HERE, APART], ids=["on the portal's host", "on its own"])
def test_of_a_chain_ckan_trusts_the_root_only(groups: Groups, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the next certificate of the same authority would restart CKAN."""
    authority = issued.Authority()
    made_for = authority.issue("data.example.org" if groups is HERE else FQDN)
    for name in ("TLS_KEY", "MINIO_TLS_KEY"):
        monkeypatch.setenv(f"CKAN_DEPLOY_SECRET_{name}", made_for.key)
    chain = made_for.write(tmp_path)
    data = {"tls_source": "provided", "tls_certificate_file": chain}
    if groups is APART:
        data = {"object_storage_fqdn": FQDN, "minio_certificate_file": chain}
    portal = made(groups, {**DCOR, **data}, tmp_path)["data"]
    assert portal.object_storage and portal.object_storage.ca_text == authority.pem


@pytest.mark.parametrize(
    ("groups", "data", "wanted"),
    [
        (ONE, {}, {"ckan_secret_key", "postgresql_password"}),
        (HERE, {}, {"ckan_secret_key", "postgresql_password"}),
        (ONE, EXTERNAL, {"ckan_secret_key", "postgresql_password", "object_storage_secret_access_key"}),
        (
            HERE,
            DCOR,
            {"ckan_secret_key", "postgresql_password", "minio_root_password", "minio_secret_access_key"},
        ),
        (APART, {}, {"ckan_secret_key", "postgresql_password"}),
        (
            APART,
            DCOR,
            {
                "ckan_secret_key",
                "postgresql_password",
                "minio_root_password",
                "minio_secret_access_key",
                "minio_tls_key",
            },
        ),
    ],
)
def test_secrets_that_are_needed(groups: Groups, data: dict[str, Any], wanted: set[str], tmp_path: Path) -> None:
    assert set(examine(sources(groups, data), SecretStore(tmp_path, generate=True)).secrets.hosts) == {
        *wanted,
        "redis_password",
    }


@pytest.mark.parametrize(
    ("groups", "data", "sentence"),
    [
        (ONE, DCOR, "a DCOR portal keeps its data in an object storage; set object_storage_endpoint and "),
        (
            ONE,
            {**DCOR, "object_storage_endpoint": "https://s3.example.org"},
            "CKAN needs a key to it; set object_storage_access_key_id",
        ),
        (
            HERE,
            {**DCOR, "object_storage_endpoint": "https://s3.example.org"},
            "remove object_storage_endpoint, or take",
        ),
        (HERE, {**DCOR, "object_storage_access_key_id": "A"}, "remove object_storage_access_key_id, or take"),
        (HERE, {**DCOR, "object_storage_fqdn": FQDN}, "it is the name of MinIO's own host, but there is none"),
        (
            HERE,
            {**DCOR, "minio_certificate_file": "/c"},
            "on the portal's host MinIO shows the portal's certificate; remove",
        ),
        (HERE, {**DCOR, "object_storage_ca_file": "/c"}, "MinIO's certificate is trusted without it"),
        (HERE, {**DCOR, "minio_port": 8983}, "both would listen on this port of data"),
        (HERE, {**DCOR, "minio_console_port": 9000}, "both would listen on this port of data"),
        (HERE, {**DCOR, "minio_console_port": 7983}, "Solr waits for the order to stop on its port - 1000"),
        (
            HERE,
            {**DCOR, "minio_version": "RELEASE.2025-10-15T17-29-55Z"},
            "set minio_sha256 to that of minio.linux-amd64.RELEASE.2025-10-15T17-29-55Z",
        ),
        (ONE, {**EXTERNAL, "object_storage_ca_file": "/c"}, "/c cannot be read"),
        (
            ONE,
            {**EXTERNAL, "object_storage_endpoint": "http://s3.example.org", "object_storage_ca_file": "/c"},
            "no certificate is checked; remove it, or use https",
        ),
        (ONE, {**EXTERNAL, "object_storage_bucket": "circle"}, "followed by {organization_id}"),
        (ONE, {**EXTERNAL, "object_storage_endpoint": "s3.example.org"}, "a URL as https://NAME"),
    ],
)
def test_what_does_not_fit_is_said_once(groups: Groups, data: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    (line,) = said(groups, data, tmp_path)
    assert sentence in line
    assert line.startswith("group_data/all.py:"), "the place of what was set"


def test_a_host_of_its_own_needs_a_name_and_a_certificate(tmp_path: Path) -> None:
    name, certificate, key = sorted(said(APART, DCOR, tmp_path), key=lambda line: "minio" in line)
    assert "users reach MinIO on search by a name of its own; set object_storage_fqdn" in name
    assert "shows a certificate from a file; set minio_certificate_file" in certificate
    assert "the secret minio_tls_key is missing" in key and "minio_tls_key < FILE`" in key


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        (
            issued.self_signed(FQDN).key,
            f"the key in the secret minio_tls_key belongs to another certificate than CN={FQDN}",
        ),
        (KEY_STAND_IN.replace("MAAA", "AAAABBBB"), "the secret minio_tls_key holds no PEM private key"),
        (KEY_STAND_IN, ""),
    ],
    ids=["another's", "damaged", "not opened"],
)
def test_a_key_must_be_that_of_the_chain(
    key: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = certificate(tmp_path, monkeypatch)
    monkeypatch.setenv("CKAN_DEPLOY_SECRET_MINIO_TLS_KEY", key)
    lines = said(APART, {**DCOR, **files, "object_storage_fqdn": FQDN}, tmp_path)
    assert len(lines) == bool(sentence) and all(sentence in line for line in lines)
    assert all("CKAN_DEPLOY_SECRET_MINIO_TLS_KEY" in line for line in lines), "the place of what was given"


def test_a_certificate_for_another_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = certificate(tmp_path, monkeypatch, "other.example.org")
    (line,) = said(APART, {**DCOR, **files, "object_storage_fqdn": FQDN}, tmp_path)
    assert f"does not cover {FQDN} (only other.example.org)" in line


def test_its_key_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its name was: a host that has no MinIO any more keeps no private key of it."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(service, "absent", given.update)
    inspect.unwrap(object_storage.no_object_storage)()
    assert {CERTIFICATE, KEY} <= set(given["files"])


def test_a_plain_ckan_may_have_the_settings_of_a_dcor(tmp_path: Path) -> None:
    """Switching the flavour is one setting."""
    assert said(ONE, {**EXTERNAL, "portal_flavour": "ckan"}, tmp_path) == []
