"""What the operations of this run are going to touch, for the operations that follow them.

While pyinfra prepares a run, the host is still in its old state: a service that follows a file looks fresh
although an earlier operation of the same run will rewrite that file. So an operation that is going to change
something notes here what it will touch, and later operations of the same host ask. During execution the notes
are ignored: then the host itself is asked. This is what makes the plan exact.

A note must be made before the operation's first ``yield``: pyinfra stops reading an operation's commands there
while it prepares.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import PurePosixPath

from pyinfra import host, state
from pyinfra.api.state import StateStage

_KEY = "ckan_deploy_foreseen"


def preparing() -> bool:
    """Whether pyinfra is still predicting; False once commands are run on the host."""
    return bool(state.current_stage == StateStage.Prepare)


def will_touch(*paths: str) -> None:
    """Note that PATHS (absolute) will be written, replaced or removed."""
    _note("path", paths)


def will_install(*packages: str) -> None:
    """Note that the operating system's PACKAGES will be installed."""
    _note("package", packages)


def will_set_up(*packages: str) -> None:
    """Note that of these PACKAGES not even configuration is there: they will bring their own."""
    _note("new package", packages)


def will_start(*units: str) -> None:
    """Note that systemd UNITS or supervisor programs will be started or restarted."""
    _note("unit", units)


def will_make(*accounts: str) -> None:
    """Note that ACCOUNTS will be made; their files, which show no owner until then, will be theirs."""
    _note("account", accounts)


def touched(*paths: str) -> bool:
    """Whether an earlier operation will touch one of PATHS or something below it; False during execution."""
    return preparing() and any(_below(noted, paths) for noted in _notes("path"))


def replaced(path: str) -> bool:
    """Whether an earlier operation will touch PATH itself, not only something below it; False during execution."""
    return preparing() and PurePosixPath(path) in {PurePosixPath(noted) for noted in _notes("path")}


def installed(*packages: str) -> bool:
    """Whether an earlier operation will install one of PACKAGES; False during execution."""
    return preparing() and not _notes("package").keys().isdisjoint(packages)


def set_up(*packages: str) -> bool:
    """Whether an earlier operation will install one of PACKAGES with its configuration; False during execution."""
    return preparing() and not _notes("new package").keys().isdisjoint(packages)


def started(*units: str) -> bool:
    """Whether an earlier operation will (re)start one of UNITS; False during execution."""
    return preparing() and not _notes("unit").keys().isdisjoint(units)


def started_since_touched(unit: str, *paths: str) -> bool:
    """Whether an earlier operation will (re)start UNIT once PATHS are as they will be; False during execution.

    False, too, when it starts before one of PATHS, or something below it, is touched.
    """
    if not started(unit):
        return False
    touches = _notes("path")
    last = max((number for path, number in touches.items() if _below(path, paths)), default=-1)
    return _notes("unit")[unit] > last


def owner(shown: str, wanted: str) -> str:
    """Return the owner or group that a file will have of which SHOWN is told: UNKNOWN may be WANTED's again."""
    return wanted if shown == "UNKNOWN" and preparing() and wanted in _notes("account") else shown


def _below(path: str, paths: Iterable[str]) -> bool:
    """Whether PATH is one of PATHS or below one."""
    noted = PurePosixPath(path)
    return not {PurePosixPath(wanted) for wanted in paths}.isdisjoint((noted, *noted.parents))


def _notes(kind: str) -> dict[str, int]:
    """What is noted of KIND, with the number of its last note: later ones have larger numbers."""
    notes: dict[str, dict[str, int]] = host.connector_data.setdefault(_KEY, {})
    return notes.setdefault(kind, {})


def _note(kind: str, names: Iterable[str]) -> None:
    if preparing():
        notes = host.connector_data.setdefault(_KEY, {})
        number = 1 + max((last for noted in notes.values() for last in noted.values()), default=-1)
        _notes(kind).update(dict.fromkeys(names, number))
