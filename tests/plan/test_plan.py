"""The plan of every inventory on bare hosts, offline; reviewed as golden files.

After a change that is meant, write them anew: ``CKAN_DEPLOY_WRITE_GOLDEN=1 script/test plan``, and read the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.plan import fake

WRITE = bool(os.environ.get("CKAN_DEPLOY_WRITE_GOLDEN"))
GOLDEN = Path(__file__).parent / "golden"
INVENTORIES = {path.stem: path for path in sorted((fake.ROOT / "inventory").glob("*.py")) if path.stem != "lab"}


def _text(plan: dict[str, list[str]]) -> str:
    return "\n".join("\n".join([f"{host}:", *(f"  {name}" for name in plan[host])]) for host in sorted(plan)) + "\n"


@pytest.mark.parametrize("name", INVENTORIES)
def test_golden_plan(name: str, tmp_path: Path) -> None:
    found = _text(fake.plan(fake.fake_inventory(INVENTORIES[name], tmp_path)))
    golden = GOLDEN / f"{name}.txt"
    if WRITE:
        golden.write_text(found)
    assert found == golden.read_text()


@pytest.mark.parametrize("release", fake.BASICS)
def test_every_release_has_the_same_plan(release: str, tmp_path: Path) -> None:
    found = _text(fake.plan(fake.fake_inventory(INVENTORIES["production"], tmp_path, release)))
    assert found == (GOLDEN / "production.txt").read_text()


def test_each_golden_file_has_its_inventory() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(INVENTORIES)


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
