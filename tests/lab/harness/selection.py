"""Which lab tests a run takes, and which worker runs them.

The tests that every change must pass are the part ``change``. All others are guarantees, in parts that can be run on
their own; a change also runs a shard of them, about five minutes that its commit chooses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import pytest

from tests.lab.harness import deployments, durations, summary, unchanged
from tests.lab.harness.deployments import Deployment

CHANGE, CROSSED, ITSELF = "change", "crossed", "itself"
T = TypeVar("T")
SHARD_SECONDS = 300
DEPLOYED = {str(deployment) for deployment in deployments.EACH_CHANGE.values()}
# Groups of tests that take long, the longest first, so that no worker waits for the other at the end.
LONGEST = ("ckan-bookworm", "dcor-trixie", "test_leaks", "test_split", "test_split apart", "test_split together")


def of_item(item: Any) -> list[Deployment]:
    """The deployments that ITEM's module names: one per flavour, and the crossed ones where it says so."""
    mark = item.get_closest_marker("portal")
    assert mark, f"{item.path.name} asks for a deployment, but has no mark portal(FLAVOUR…)"
    if only := item.config.getoption("--portal"):
        fits = only.partition("-")[0] in (*mark.args, *mark.kwargs.get("also", ()))
        return [Deployment(*only.split("-"))] if fits else []
    tables = [deployments.EACH_CHANGE, *([deployments.CROSSED] if mark.kwargs.get("crossed") else [])]
    return [table[flavour] for table in tables for flavour in mark.args]


def choose(item: pytest.Item) -> None:
    """Have the run of a test that begins deploy what it is about."""
    marked = of_item(item) if item.get_closest_marker("portal") else []
    deployments.choose(_given(item) or next(iter(marked), deployments.CKAN))


def part(item: pytest.Item) -> str:
    """The part of the full set that ITEM belongs to."""
    if mark := item.get_closest_marker("guarantee"):
        return str(mark.args[0])
    if item.path.parent.name == ITSELF:
        return ITSELF
    return CROSSED if _given(item) in deployments.CROSSED.values() else CHANGE


def select(config: pytest.Config, items: list[pytest.Item], lab: Iterable[pytest.Item]) -> None:
    """Leave in ITEMS, of which LAB are ours, the parts that ``--part`` names (by default all) and the shard.

    The lab's own tests are left out while nothing that they test has changed, unless they are all that is wanted.
    """
    lab = list(lab)
    parts, commit = set(config.getoption("--part")), config.getoption("--shard")
    known = {part(item) for item in lab}
    if unknown := parts - known:
        raise pytest.UsageError(f"no part of the lab's tests named {', '.join(sorted(unknown))}: {sorted(known)}")
    wanted = {id(item) for item in lab if not parts or part(item) in parts}
    itself = {id(item) for item in lab if part(item) == ITSELF}
    number = len(wanted & itself)
    if number and wanted - itself and (passed := unchanged.since()):
        wanted, itself = wanted - itself, set()
        summary.LINES.append(
            f"not run: unchanged since {passed}: {number} tests of the lab itself; script/test {ITSELF} runs them"
        )
    unchanged.COUNTS["wanted"] = len(wanted & itself)
    if commit:
        wanted |= {id(item) for item in shard(lab, commit)}
    # A test of a flavour that --portal excludes was collected without a deployment.
    wanted -= {id(item) for item in lab if item.get_closest_marker("portal") and not of_item(item)}
    dropped = [item for item in lab if id(item) not in wanted]
    config.hook.pytest_deselected(items=dropped)
    gone = {id(item) for item in dropped}
    items[:] = [item for item in items if id(item) not in gone]


def shard(items: Iterable[pytest.Item], commit: str) -> list[pytest.Item]:
    """About five minutes of the guarantees among ITEMS: those that follow the place that COMMIT chooses."""
    guarantees = sorted((item for item in items if item.get_closest_marker("guarantee")), key=lambda item: name(item))
    seconds = durations.read()
    if missing := sorted({name(item) for item in guarantees} - seconds.keys()):
        raise pytest.UsageError(f"{durations.TABLE.name} has no seconds for {', '.join(missing)}")
    start = int(hashlib.sha256(commit.encode()).hexdigest(), 16) % len(guarantees)
    return guarantees_from(start, [(item, name(item), group(item)) for item in guarantees], seconds)


def guarantees_from(start: int, tests: Sequence[tuple[T, str, str]], seconds: dict[str, float]) -> list[T]:
    """As many of TESTS, each with its name and group, from the one at START on as fit into a shard; at least one."""
    total, groups, found = 0.0, set[str](), list[T]()
    for test, named, belongs in (*tests[start:], *tests[:start]):
        # What is deployed for every change anyway costs nothing here.
        waits = 0.0 if belongs in groups | DEPLOYED else seconds.get(f"setup {belongs}", 0.0)
        if found and total + waits + seconds[named] > SHARD_SECONDS:
            break
        groups.add(belongs)
        total += waits + seconds[named]
        found.append(test)
    return found


def name(item: pytest.Item) -> str:
    """ITEM's name in the table of durations."""
    return durations.name(item.nodeid)


def place(item: pytest.Item) -> tuple[int, str, int]:
    """Where ITEM comes: with its group, the longest first; there what every change must pass before the guarantees."""
    belongs = group(item)
    return LONGEST.index(belongs) if belongs in LONGEST else len(LONGEST), belongs, int(part(item) != CHANGE)


def group(item: pytest.Item) -> str:
    """Name of what ITEM shares with other tests: a deployment, or what its module makes."""
    if deployment := _given(item):
        return str(deployment)
    if item.get_closest_marker("portal") and (named := of_item(item)):
        return str(named[0])
    return f"{item.path.stem} {_parameters(item).get('made', '')}".strip()


def _given(item: pytest.Item) -> Deployment | None:
    found = _parameters(item).get("deployment")
    return found if isinstance(found, Deployment) else None


def _parameters(item: pytest.Item) -> dict[str, Any]:
    callspec = getattr(item, "callspec", None)
    return callspec.params if callspec else {}
