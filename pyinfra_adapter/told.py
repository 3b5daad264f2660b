"""What operations tell for the last lines of a plan and of a run: what will restart, and what a check has found."""

from __future__ import annotations

from pyinfra import host
from pyinfra.api import Host

_KEY = "ckan_deploy_told"


def restarts(*names: str) -> None:
    """Tell that services of the current host, by the NAMES that people have for them, will be restarted."""
    _of(host, "restarts").update(dict.fromkeys(names))


def answers(text: str) -> None:
    """Tell what a check of the current host has found, as it stands at the end of a run."""
    _of(host, "answers")[text] = None


def restarted(there: Host) -> list[str]:
    """Return what was told of restarts on the host THERE, in order."""
    return list(_of(there, "restarts"))


def answered(there: Host) -> list[str]:
    """Return what checks of the host THERE have found, in order."""
    return list(_of(there, "answers"))


def _of(there: Host, kind: str) -> dict[str, None]:
    told: dict[str, dict[str, None]] = there.connector_data.setdefault(_KEY, {})
    return told.setdefault(kind, {})
