"""A DCOR portal with a real MinIO: its access key, what goes wrong with an object storage, and how it goes away."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lab import inside
from tests import issued
from tests.lab.harness import deploy, deployments, host_files, s3, secret_store, variants
from tests.lab.harness.portal_host import FQDN, NAME, PortalHost

pytestmark = [pytest.mark.guarantee("storage"), pytest.mark.portal("dcor")]

DCOR = {"portal_flavour": "dcor", "dcor_scratch_space": 1}
URL = f"https://{FQDN}:9000"


@pytest.fixture(scope="module")
def dcor(portal_host: PortalHost, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of the inventory of a DCOR portal with MinIO, which is deployed."""
    portal_host.ensure(portal_host.deployed(deployments.current()))
    portal_host.mark_changed()
    inventory = variants.inventory(DCOR, tmp_path_factory.mktemp("dcor"))
    assert deploy.plan(inventory=inventory) == {}
    return inventory


def accepted(secret: str, key: str = "dcor-ckan") -> str:
    """What MinIO answers to KEY with SECRET: a list of buckets, or an error's code."""
    return s3.accepted(URL, key, secret)


def portal_serves() -> bool:
    command = ["curl", "-sf", "-o", "/dev/null", "http://127.0.0.1:8080/api/3/action/status_show"]
    return inside.run(NAME, command, check=False).returncode == 0


def test_ckan_trusts_it_and_nothing_is_left_of_the_check(dcor: str) -> None:
    assert json.loads(accepted(secret_store.secret("minio_secret_access_key"))) == []


def test_ports_and_files_are_those_of_the_design(dcor: str) -> None:
    listening = inside.run(NAME, ["ss", "-Hltn", "sport = :9000 or sport = :9001"]).stdout
    assert {line.split()[3] for line in listening.splitlines() if line.split()[3].endswith(":9001")} == {
        "127.0.0.1:9001"
    }
    modes = inside.run(NAME, ["stat", "-c", "%a %U %n", "/etc/default/minio", "/srv/minio"]).stdout.splitlines()
    assert modes == ["600 root /etc/default/minio", "750 minio-user /srv/minio"]
    command = inside.run(NAME, ["sh", "-c", "tr '\\0' '\\n' < /proc/$(pidof minio)/cmdline"]).stdout
    assert secret_store.secret("minio_root_password") not in command


@pytest.mark.parametrize("name", ["minio_secret_access_key", "minio_root_password"])
def test_a_rotated_secret_arrives_in_one_run(dcor: str, name: str) -> None:
    with secret_store.unchanged():
        before = secret_store.secret(name)
        secret_store.rotate(name)
        deploy.plan_and_apply(inventory=dcor)
        assert deploy.plan(inventory=dcor) == {}
        assert accepted(secret_store.secret("minio_secret_access_key")).startswith("[")
        if name == "minio_secret_access_key":
            assert accepted(before) == "SignatureDoesNotMatch"
    deploy.plan_and_apply(inventory=dcor)


def test_another_access_key_replaces_ours(dcor: str, tmp_path: Path) -> None:
    other = variants.inventory({**DCOR, "minio_access_key_id": "another"}, tmp_path)
    deploy.plan_and_apply(inventory=other)
    assert deploy.plan(inventory=other) == {}
    secret = secret_store.secret("minio_secret_access_key")
    assert accepted(secret, "another").startswith("[")
    assert accepted(secret) == "InvalidAccessKeyId"
    deploy.plan_and_apply(inventory=dcor)


@pytest.mark.parametrize(
    ("endpoint", "trusted", "says"),
    [
        (URL, "its own", "refuses the access key nobody (InvalidAccessKeyId, HTTP 403)"),
        (f"https://{FQDN}:9999", "its own", f"https://{FQDN}:9999 cannot be reached from {NAME}"),
        (URL, "another", f"the certificate of the object storage {URL} is not trusted on {NAME}"),
        (URL, "", f"the certificate of the object storage {URL} is not trusted on {NAME}"),
    ],
    ids=["wrong key", "unreachable", "another CA", "no CA"],
)
def test_a_wrong_storage_changes_nothing_of_the_portal(
    dcor: str, endpoint: str, trusted: str, says: str, tmp_path: Path
) -> None:
    """MinIO, which the portal uses, goes on, and is still trusted; here as somebody else's of another key or CA."""
    whole = "sha256sum /etc/ckan/default/ckan.ini /etc/ckan-deploy/object-storage-bundle.pem; pidof minio"
    before = inside.run(NAME, ["sh", "-ec", whole]).stdout
    external = {"object_storage_endpoint": endpoint, "object_storage_access_key_id": "nobody"}
    if trusted:
        served = inside.run(NAME, ["cat", f"/etc/ssl/certs/{FQDN}.cert"]).stdout
        ca = tmp_path / "ca.pem"
        ca.write_text(served if trusted == "its own" else issued.Authority().pem)
        external["object_storage_ca_file"] = str(ca)
    inventory = Path(variants.inventory({**DCOR, **external}, tmp_path))
    inventory.write_text(inventory.read_text() + "object_storage = []\n")
    with secret_store.unchanged():
        done = deploy.pyinfra("deploy.py", "-y", inventory=str(inventory))
    assert done.status == 1
    assert says in done.output
    assert "CKAN was not changed" in done.output
    assert "Traceback" not in done.output
    assert inside.run(NAME, ["sh", "-ec", whole]).stdout == before
    assert portal_serves()
    assert accepted(secret_store.secret("minio_secret_access_key")).startswith("[")
    deploy.plan_and_apply(inventory=dcor)


def test_a_disk_that_is_not_mounted_stops_the_run(dcor: str, tmp_path: Path) -> None:
    inventory = variants.inventory({**DCOR, "minio_mounts": ["/srv/minio"]}, tmp_path)
    done = deploy.pyinfra("deploy.py", "-y", inventory=inventory)
    assert done.status == 1
    assert "nothing is mounted at /srv/minio, which minio_mounts names" in done.output
    assert deploy.plan(inventory=dcor) == {}


def test_a_plain_ckan_has_nothing_of_it_but_its_data(dcor: str, tmp_path: Path) -> None:
    """Last: it is of no other test's use."""
    inventory = variants.inventory({"portal_flavour": "ckan"}, tmp_path)
    deploy.plan_and_apply(inventory=inventory)
    assert deploy.plan(inventory=inventory) == {}
    paths = [
        "/etc/systemd/system/minio.service",
        "/etc/default/minio",
        "/usr/local/bin/minio",
        "/usr/lib/ckan-deploy/minio",
    ]
    paths += ["/var/lib/ckan-deploy/minio", "/etc/ckan-deploy/object-storage-bundle.pem"]
    assert host_files.there(*paths, "/srv/minio/.minio.sys") == ["/srv/minio/.minio.sys"]
