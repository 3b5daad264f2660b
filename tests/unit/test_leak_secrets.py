"""No declared secret is forgotten by the leak test, which itself needs hosts."""

from __future__ import annotations

from pathlib import Path

from settings.host import secrets_declared
from tests.lab.harness import leak_secrets
from tests.lab.harness.leaks import forms

INVENTORY = """
portal = [("portal", {"address": "198.51.100.10"})]
redis = [("redis", {"address": "198.51.100.11"})]
postgresql = solr = portal
object_storage = portal
"""


def test_each_declared_secret_is_in_a_leak_run_or_is_said_to_be_in_none(tmp_path: Path) -> None:
    inventory = tmp_path / "lab.py"  # the lab's group data is for it
    inventory.write_text(INVENTORY)
    needed = leak_secrets.needed(inventory)
    assert not needed & set(leak_secrets.left())
    forgotten = set(secrets_declared()) - needed - set(leak_secrets.left())
    assert not forgotten, "have leak_secrets.options need them, or say in left() why no leak run has them"


def test_values_fit_and_are_worth_looking_for() -> None:
    for which in ("first", "planted"):
        values = leak_secrets.values(which)
        assert len(set(values.values())) == len(values)
        for name, value in values.items():
            assert secrets_declared()[name].fits(value) and len(forms(value)) > 3
