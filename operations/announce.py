"""What operations say to people of what they are going to change: services that restart, versions that change."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pyinfra import host, state

from pyinfra_adapter import told

_NAMES = {
    "ckan-uwsgi": "CKAN",
    "ckan-worker": "the workers",
    "minio": "MinIO",
    "postgresql": "PostgreSQL",
    "redis-server": "Redis",
    "solr": "Solr",
}
_MOST = 3  # packages that are named; all are with --diff


def restarts(*units: str) -> None:
    """Say that systemd UNITS or supervisor programs, which run, will be restarted: the plan's last line has it."""
    told.restarts(*(service_name(unit) for unit in units if not unit.endswith((".timer", ".socket"))))


def service_name(unit: str) -> str:
    """Return what people call the service of UNIT."""
    name = unit.removesuffix(".service").partition("@")[0]
    return _NAMES.get("ckan-worker" if name.startswith("ckan-worker") else name, name)


def versions(before: Mapping[str, str], after: Mapping[str, str], first: str) -> None:
    """Say which packages change: FIRST, where it does, and how many others; all of them with ``--diff``.

    + before, after: versions by name; what is not installed is not in it
    """
    changed = [name for name in sorted(before.keys() | after.keys()) if before.get(name) != after.get(name)]
    changed.sort(key=lambda name: name != first)
    if not changed:
        return
    named = changed[:1] if first in changed or not before else changed[:_MOST]
    words = [_change(name, before.get(name), after.get(name)) for name in named]
    if others := len(changed) - len(named):
        words.append(f"{others} package{'s' if others > 1 else ''}")
    host.log(_listed(words))
    if state.config.DIFF:
        for name in changed:
            host.log(_change(name, before.get(name), after.get(name)))


def target(before: str | None, after: str) -> None:
    """Say that what leads to BEFORE, where it leads anywhere, is going to lead to AFTER."""
    if before:
        old, new = (path.rpartition("/")[2] for path in (before, after))
        host.log(f"{old} → {new}" if old != new else f"{before} → {after}")


def _change(name: str, before: str | None, after: str | None) -> str:
    if before and after:
        return f"{name} {before} → {after}"
    return f"{name} {after}" if after else f"{name} {before} removed"


def _listed(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
