"""The lab's inventory puts hosts into groups by their names, without a lab."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from lab import mirror, state
from settings.inventory_checks import GROUPS

ROOT = Path(__file__).resolve().parent.parent.parent


def groups(monkeypatch: pytest.MonkeyPatch, *names: str) -> dict[str, list[str]]:
    """Names of the hosts in each group when the lab has those NAMES."""
    hosts = [
        state.Host(state.check_name(name), "198.51.100.10", "bookworm", "", Path(), Path(), True) for name in names
    ]
    monkeypatch.setattr(state, "hosts", lambda: hosts)
    monkeypatch.setattr(mirror, "url", lambda: "http://198.51.100.1:8080")
    found = runpy.run_path(str(ROOT / "inventory/lab.py"))
    return {group: [name for name, _ in found[group]] for group in GROUPS}


def test_one_host_has_all(monkeypatch: pytest.MonkeyPatch) -> None:
    assert groups(monkeypatch, "portal", "stranger") == {group: ["portal"] for group in GROUPS}


def test_each_group_may_have_a_host_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also object_storage, although no host's name has an underscore."""
    names = {group: group.replace("_", "-") for group in GROUPS}
    assert groups(monkeypatch, *names.values()) == {group: [name] for group, name in names.items()}


def test_services_share_a_host_but_for_the_object_storage(monkeypatch: pytest.MonkeyPatch) -> None:
    found = groups(monkeypatch, "portal", "services")
    assert {group for group in GROUPS if found[group] == ["services"]} == {"postgresql", "redis", "solr"}
