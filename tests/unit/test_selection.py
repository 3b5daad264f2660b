"""Which guarantees a change runs: some of them, and in time each."""

from __future__ import annotations

import subprocess
import sys

from tests.lab.harness.selection import SHARD_SECONDS, guarantees_from
from tests.unit.checkout import ROOT

SECONDS = {"a": 100.0, "b": 120.0, "c": 500.0, "d": 60.0, "setup slow": 200.0, "setup ckan-bookworm": 999.0}
TESTS = [("a", "a", "ckan-bookworm"), ("b", "b", "ckan-bookworm"), ("c", "c", "ckan-bookworm"), ("d", "d", "slow")]


def test_a_shard_is_as_many_as_fit_and_at_least_one() -> None:
    assert guarantees_from(0, TESTS, SECONDS) == ["a", "b"]
    assert guarantees_from(1, TESTS, SECONDS) == ["b"]
    assert guarantees_from(2, TESTS, SECONDS) == ["c"]
    # What its group waits for counts, but not what is deployed anyway.
    assert guarantees_from(3, TESTS, SECONDS) == ["d"]
    assert guarantees_from(3, TESTS, {**SECONDS, "setup slow": 100.0}) == ["d", "a"]
    assert SHARD_SECONDS == 300


def test_every_guarantee_can_be_chosen() -> None:
    """Also says which have no seconds in the table: then no shard can be cut."""
    command = [sys.executable, "-m", "pytest", "tests/lab", "--collect-only", "-q", "-p", "no:cacheprovider"]
    found = {}
    for commit in ("one", "two"):
        options = ["--part=change", f"--shard={commit}"]
        done = subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
        found[commit] = {line for line in done.stdout.splitlines() if "::" in line}
    change = found["one"] & found["two"]
    assert found["one"] - change and found["two"] - change, "no guarantee, or whatever the commit the same"
