"""The plan of every inventory on bare hosts, offline; reviewed as golden files.

After a change that is meant, ``script/golden`` writes them anew: read the difference.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import issued
from tests.plan import fake
from tests.unit import golden

GOLDEN = Path(__file__).parent / "golden"
INVENTORIES = {path.stem: path for path in sorted((fake.ROOT / "inventory").glob("*.py")) if path.stem != "lab"}


# Other sources of CKAN, and the other flavour, have plans of their own.
VARIANTS = {
    "production-dcor": (
        "production",
        (
            "portal_flavour=dcor",
            "object_storage_endpoint=https://s3.example.org",
            "object_storage_access_key_id=AKEXAMPLE",
        ),
    ),
    "production-deb": (
        "production",
        ("ckan_source=deb", "ckan_deb_url=http://192.0.2.1/python-ckan.deb", f"ckan_deb_sha256={'a' * 64}"),
    ),
}


# So has the portal whose MinIO has a host of its own, which no inventory here has.
APART = "production-minio"


def _text(plan: dict[str, list[str]]) -> str:
    return "\n".join("\n".join([f"{host}:", *(f"  {name}" for name in plan[host])]) for host in sorted(plan)) + "\n"


@pytest.mark.parametrize("name", INVENTORIES)
def test_golden_plan(name: str, tmp_path: Path) -> None:
    found = _text(fake.plan(fake.fake_inventory(INVENTORIES[name], tmp_path)))
    golden.agrees(GOLDEN / f"{name}.txt", found)


@pytest.mark.parametrize("name", VARIANTS)
def test_golden_plan_of_a_variant(name: str, tmp_path: Path) -> None:
    inventory, data = VARIANTS[name]
    options = [word for line in data for word in ("--data", line)]
    found = _text(fake.plan(fake.fake_inventory(INVENTORIES[inventory], tmp_path), *options))
    golden.agrees(GOLDEN / f"{name}.txt", found)


def test_golden_plan_of_minio_on_a_host_of_its_own(tmp_path: Path) -> None:
    inventory = fake.fake_inventory(INVENTORIES["production"], tmp_path)
    storage = [
        ("@fake/storage", {"address": "192.0.2.23", "fake_responses": {"/etc/os-release": fake.BASICS["noble"]}})
    ]
    inventory.write_text(inventory.read_text().replace("object_storage = []", f"object_storage = {storage!r}"))
    chain = issued.self_signed("s3.example.org").write(tmp_path)
    data = ("portal_flavour=dcor", "object_storage_fqdn=s3.example.org", f"minio_certificate_file={chain}")
    found = _text(fake.plan(inventory, *(word for line in data for word in ("--data", line))))
    golden.agrees(GOLDEN / f"{APART}.txt", found)


@pytest.mark.parametrize("release", fake.BASICS)
def test_every_release_has_the_same_plan(release: str, tmp_path: Path) -> None:
    found = _text(fake.plan(fake.fake_inventory(INVENTORIES["production"], tmp_path, release)))
    assert found == (GOLDEN / "production.txt").read_text()


def test_each_golden_file_has_its_inventory() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {*INVENTORIES, *VARIANTS, APART}


def test_a_host_may_have_another_value_than_its_environment(tmp_path: Path) -> None:
    """Also where pyinfra prepares several hosts at once, outside of its command line."""
    inventory = fake.fake_inventory(INVENTORIES["production"], tmp_path)
    own = "'address': '192.0.2.20', 'ckan_mail_from': 'other@example.org'"
    inventory.write_text(inventory.read_text().replace("'address': '192.0.2.20'", own))
    assert len(fake.plan(inventory)) == 3


def test_a_renamed_group_fails(tmp_path: Path) -> None:
    inventory = fake.fake_inventory(INVENTORIES["production"], tmp_path)
    inventory.write_text(inventory.read_text().replace("redis = ", "cache = "))
    done = fake.run(inventory)
    assert done.returncode == 1
    assert "group redis: it has no host, but must have one" in done.stderr


def test_a_missing_address_fails(tmp_path: Path) -> None:
    inventory = fake.fake_inventory(INVENTORIES["dev"], tmp_path)
    inventory.write_text(inventory.read_text().replace("'address': '192.0.2.10', ", ""))
    done = fake.run(inventory)
    assert done.returncode == 1
    assert "address is missing for host @fake/portal-dev: " in done.stderr


def test_an_excluded_host_is_not_planned(tmp_path: Path) -> None:
    found = fake.plan(fake.fake_inventory(INVENTORIES["production"], tmp_path), "--limit", "solr")
    assert list(found) == ["search"]
    assert any(name.startswith("Solr | ") for name in found["search"])


def test_services_on_other_hosts_come_before_the_portal(tmp_path: Path) -> None:
    """As pyinfra orders them for several hosts, not for each alone."""
    done = fake.run(fake.fake_inventory(INVENTORIES["production"], tmp_path))
    order = [operation["name"].partition(" | ")[0] for operation in json.loads(done.stdout)["plan"]]
    first = {component: order.index(component) for component in order}
    last = {component: position for position, component in enumerate(order)}
    for service in ("PostgreSQL", "Redis", "Solr"):
        assert last["Firewall"] < first[service]
        assert last[service] < first["CKAN"]


@pytest.mark.parametrize("known", [False, True])
def test_a_database_host_that_was_replaced_stops_the_portal(known: bool, tmp_path: Path) -> None:
    """At its address is a bare host now, which has never heard of CKAN's role."""
    record = {"location": "192.0.2.21:5432/ckan_default", "system": "7", "database": 16384, "content": "abc"}
    answers = {
        "pg_control_system": json.dumps({"recorded": record if known else None, "present": None}),
        "print(location(parser": record["location"],
    }
    inventory = fake.fake_inventory(INVENTORIES["production"], tmp_path)
    text = inventory.read_text()
    own = "('@fake/data', {'address': '192.0.2.20', 'ssh_hostname': 'data.example.org', 'fake_responses': {"
    assert own in text
    inventory.write_text(
        text.replace(own, f"{own}{', '.join(f'{key!r}: {value!r}' for key, value in answers.items())}, ")
    )
    done = fake.run(inventory)
    assert done.returncode == int(known), done.stderr
    says = (
        "has no PostgreSQL cluster 16/main, while the database of the last run at 192.0.2.21:5432/ckan_default was in"
    )
    assert (says in done.stderr) == known
