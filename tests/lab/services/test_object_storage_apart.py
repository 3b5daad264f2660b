"""MinIO on a host of its own: its certificate, who reaches it, and what another certificate changes."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from cryptography import x509

from lab import host, inside, minio_build, paths, snapshot, state
from settings.minio import CERTIFICATE, KEY
from tests.issued import Authority, Issued
from tests.lab.harness import deploy, host_files, multi_host, oracle, packages, s3, secret_store, variants
from tests.lab.harness.deployments import CROSSED
from tests.lab.harness.multi_host import STRANGER
from tests.lab.harness.portal_host import REUSE, PortalHost

pytestmark = pytest.mark.guarantee("storage")

STORAGE = "object-storage"
HOSTS = ("portal", STORAGE)
FQDN = "s3.portal.test"
URL = f"https://{FQDN}:9000"
ACCESS = "dcor-ckan"
MINIO_RESTARTS = [
    "Object storage | Install the key of MinIO's certificate",
    "Object storage | Install MinIO's certificate and its chain",
    "Object storage | Run MinIO with its newest configuration",
]
CKAN_TRUSTS_ANOTHER = [
    "Object storage | Install the private CA of the object storage",
    "CKAN | Object storage | Trust the object storage's certificate",
    "uWSGI | Run CKAN with its newest code and configuration",
    "Workers | Run the workers with their newest code and configuration",
]


@dataclass
class Apart:
    """The two hosts, a stranger beside them, and what the first run did."""

    folder: Path
    authority: Authority = field(default_factory=Authority)
    planned: dict[str, list[str]] = field(default_factory=dict)
    changed: dict[str, list[str]] = field(default_factory=dict)

    def give(self, issued: Issued) -> str:
        """Have ISSUED for MinIO: its key in the store, its chain in the inventory, whose path is returned."""
        secret_store.give("minio_tls_key", issued.key)
        return self.inventory(issued)

    def inventory(self, issued: Issued) -> str:
        """Path of the inventory of a DCOR portal whose MinIO shows ISSUED."""
        portal = {"portal_flavour": "dcor", "dcor_scratch_space": 1, "object_storage_fqdn": FQDN}
        storage = {"minio_certificate_file": issued.write(self.folder)}
        return variants.inventory({}, self.folder, {"portal": portal, "object_storage": storage})

    def accepted(self) -> str:
        """What MinIO answers to CKAN's key on the portal's host."""
        return s3.accepted(URL, ACCESS, secret_store.secret("minio_secret_access_key"))


@pytest.fixture(scope="module")
def apart(portal_host: PortalHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apart]:
    """The hosts, deployed."""
    minio_build.ensure_minio()
    multi_host.clear(portal_host)
    made = Apart(tmp_path_factory.mktemp("apart"))
    names = (*HOSTS, STRANGER)
    again = REUSE and all(paths.snapshot(f"storage-{name}").exists() for name in names)
    if again:
        multi_host.raise_hosts(snapshots={name: f"storage-{name}" for name in names})
    else:
        installed = packages.snapshot(CROSSED["dcor"])
        multi_host.raise_hosts(dict.fromkeys(names[1:], CROSSED["dcor"].release), {names[0]: installed})
    for name in ("portal", STRANGER):  # as DNS would
        known = inside.run(name, ["sh", "-c", f"grep -v ' {FQDN}$' /etc/hosts"]).stdout
        text = f"{known}{state.host(STORAGE).address} {FQDN}\n"
        inside.run(name, ["sh", "-c", "cat > /etc/hosts"], text=text)
    inventory = made.give(made.authority.issue(FQDN))
    made.planned, made.changed = deploy.plan(inventory=inventory), deploy.apply(inventory=inventory)
    if REUSE and not again:
        multi_host.each(names, lambda name: snapshot.take(name, f"storage-{name}"))
    portal_host.wait_until_up()
    yield made
    multi_host.clear(portal_host)


@pytest.fixture
def inventory(apart: Apart) -> str:
    return str(apart.folder / "lab.py")


def test_the_plan_of_bare_hosts_is_what_the_run_changes(apart: Apart) -> None:
    assert apart.planned == apart.changed
    if not REUSE:
        assert set(apart.changed) == set(HOSTS)
        assert set(MINIO_RESTARTS) <= set(apart.changed[STORAGE])


def test_the_second_run_changes_nothing(apart: Apart, inventory: str) -> None:
    before = {name: oracle.snapshot(name) for name in HOSTS}
    assert deploy.plan_and_apply(inventory=inventory) == {}
    for name in HOSTS:
        assert oracle.difference(before[name], oracle.snapshot(name)) == [], name


def test_ckan_is_accepted_and_trusts_the_name(apart: Apart) -> None:
    assert apart.accepted() == "[]"


def test_ports_and_files_are_those_of_the_design(apart: Apart) -> None:
    listening = inside.run(STORAGE, ["ss", "-Hltn", "sport = :9001"]).stdout
    assert [line.split()[3] for line in listening.splitlines()] == ["127.0.0.1:9001"]
    for source in ("portal", STRANGER):
        assert multi_host.connects(source, STORAGE, 9000), source
        assert not multi_host.connects(source, STORAGE, 9001), source
    modes = inside.run(STORAGE, ["stat", "-c", "%a %U", KEY, "/etc/default/minio"]).stdout.splitlines()
    assert modes == ["600 root", "600 root"]
    assert host_files.there(KEY, host="portal") == []


def test_others_upload_straight_to_it(apart: Apart) -> None:
    secret = secret_store.secret("minio_secret_access_key")
    link = s3.link(URL, ACCESS, secret, "circle-of-a-test", "resource/a")
    assert s3.upload(STRANGER, link, "what a user has", apart.authority.pem) == "200"
    assert s3.take(URL, ACCESS, secret, "circle-of-a-test", "resource/a") == "what a user has"
    assert apart.accepted() == "[]"


def test_a_key_of_another_certificate_stops_the_run(apart: Apart, inventory: str) -> None:
    shown, before = _shown(), secret_store.secret("minio_tls_key")
    secret_store.give("minio_tls_key", apart.authority.issue(FQDN).key)
    done = deploy.pyinfra("deploy.py", "-y", inventory=inventory)
    secret_store.give("minio_tls_key", before)
    assert done.status == 1
    assert f"the key in the secret minio_tls_key belongs to another certificate than CN={FQDN}" in done.output
    assert _shown() == shown
    assert deploy.plan(inventory=inventory) == {}


def test_another_certificate_restarts_minio_and_nothing_else(apart: Apart) -> None:
    """The authority is the same, which CKAN trusts already."""
    former, issued = _shown(), apart.authority.issue(FQDN)
    inventory = apart.give(issued)
    assert deploy.plan_and_apply(inventory=inventory) == {STORAGE: MINIO_RESTARTS}
    assert _shown() == x509.load_pem_x509_certificates(issued.chain.encode())[0] != former
    assert apart.accepted() == "[]"
    assert deploy.plan(inventory=inventory) == {}


def test_another_authority_is_trusted_in_the_same_run(apart: Apart) -> None:
    apart.authority = Authority()
    issued = apart.authority.issue(FQDN)
    inventory = apart.give(issued)
    assert deploy.plan_and_apply(inventory=inventory) == {STORAGE: MINIO_RESTARTS, "portal": CKAN_TRUSTS_ANOTHER}
    assert _shown() == x509.load_pem_x509_certificates(issued.chain.encode())[0]
    assert apart.accepted() == "[]"
    assert deploy.plan(inventory=inventory) == {}


def test_it_is_there_again_after_a_boot(apart: Apart, portal_host: PortalHost, inventory: str) -> None:
    host.reboot(STORAGE)
    portal_host.wait_until_up()
    assert deploy.plan_and_apply(inventory=inventory) == {}
    assert apart.accepted() == "[]"


def test_a_plain_ckan_has_nothing_of_it_but_its_data(apart: Apart) -> None:
    """Last: it is of no other test's use."""
    inventory = variants.inventory({}, apart.folder, {"portal": {"portal_flavour": "ckan"}})
    deploy.plan_and_apply(inventory=inventory)
    assert deploy.plan(inventory=inventory) == {}
    for path in ("/usr/local/bin/minio", "/etc/default/minio", KEY, CERTIFICATE):
        assert host_files.there(path, host=STORAGE) == []
    assert host_files.there("/srv/minio/.minio.sys", host=STORAGE)


def _shown() -> x509.Certificate:
    """The certificate that MinIO shows."""
    return x509.load_pem_x509_certificate(ssl.get_server_certificate((state.host(STORAGE).address, 9000)).encode())
