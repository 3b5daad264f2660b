"""Root in folders of somebody else, who lays links there: no operation does anything to where they lead."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from facts.files import leftover_path
from operations import files, scratch
from tests.unit.attacker import UID, Attacker, attacker
from tests.unit.converge import apply

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs a second account")

TEXT = "ours\n"
STEPS = ("stat", "mkdir", "cat", "chown", "chmod", "sync", "ln", "mv", "rm", "rmdir")


@pytest.fixture
def foe() -> Iterator[Attacker]:
    with attacker() as made:
        yield made


def _sub(foe: Attacker) -> Path:
    """A folder in the attacker's, of the attacker."""
    path = foe.folder / "sub"
    path.mkdir()
    os.chown(path, UID, UID)
    return path


def _file(path: Path) -> str:
    path.touch()
    return str(path)


def _record(foe: Attacker) -> str:
    return str(foe.folder.parent / "notes/record")


_OF: dict[str, Any] = {"owner": "nobody", "group": "nogroup"}
WORK: dict[str, Callable[[Attacker], Any]] = {
    "install": lambda foe: apply(files.install, dest=f"{foe.folder}/x", text=TEXT, mode=0o644, **_OF),
    "install, checked": lambda foe: apply(files.install, dest=f"{foe.folder}/x", text=TEXT, check="false", **_OF),
    "install, deep": lambda foe: apply(files.install, dest=f"{_sub(foe)}/secret", text=TEXT, mode=0o644, **_OF),
    "directory": lambda foe: apply(files.directory, path=f"{foe.folder}/x", **_OF),
    "directory, there": lambda foe: apply(files.directory, path=str(_sub(foe)), mode=0o711, **_OF),
    "directory, deep": lambda foe: apply(files.directory, path=f"{_sub(foe)}/y/z", **_OF),
    "link": lambda foe: apply(files.link, path=f"{foe.folder}/x", target="y"),
    "link, deep": lambda foe: apply(files.link, path=f"{_sub(foe)}/secret", target="y"),
    "absent": lambda foe: apply(files.absent, path=_file(foe.folder / "x")),
    "absent, deep": lambda foe: apply(files.absent, path=_file(_sub(foe) / "secret")),
    "scratch": lambda foe: apply(scratch.folders, paths=[f"{foe.folder}/x"], record=_record(foe), **_OF),
    "scratch, deep": lambda foe: apply(scratch.folders, paths=[f"{_sub(foe)}/x"], record=_record(foe), **_OF),
    "scratch, gone": lambda foe: (
        apply(scratch.folders, paths=[f"{_sub(foe)}/secret"], record=_record(foe), **_OF),
        apply(scratch.folders, paths=[f"{foe.folder}/x"], record=_record(foe), **_OF),
    ),
}


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("work", WORK)
def test_links_laid_at_any_step_lead_nowhere(work: str, step: str, foe: Attacker, shims: Path) -> None:
    names = [Path(leftover_path(f"{foe.folder}/x")).name, "x"]
    foe.strike_before(shims, step, *names)
    WORK[work](foe)
    assert foe.won == ""


@pytest.mark.parametrize("work", WORK)
def test_links_that_are_there_lead_nowhere(work: str, foe: Attacker) -> None:
    foe.lay_links(Path(leftover_path(f"{foe.folder}/x")).name, "x")
    WORK[work](foe)
    assert foe.won == ""
