"""The state of a host, read independently of what the product says of itself.

A second run and a dry run must leave it equal; a repaired or interrupted run must end in it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from lab import inside

State = dict[str, dict[str, Any]]

_SCRIPT = Path(__file__).with_name("oracle_host.py")

# What differs between two hosts, or two histories, that are equally well: identities of processes and times.
_IDENTITIES = ("InvocationID", "MainPID", "NRestarts", "mtime")


def snapshot(name: str) -> State:
    """State of the lab host NAME, as one JSON document."""
    found: State = json.loads(inside.run(name, ["python3", "-"], text=_SCRIPT.read_text()).stdout)
    return found


def files(name: str) -> dict[str, Any]:
    """The part of the state that files are, however spoilt the host is otherwise; without times."""
    found = json.loads(inside.run(name, ["python3", "-", "files"], text=_SCRIPT.read_text()).stdout)
    return {path: {key: item for key, item in value.items() if key != "mtime"} for path, value in found.items()}


def difference(before: State, after: State) -> list[str]:
    """Each difference between two states of one host, as a line; none when nothing at all happened between them."""
    lines = []
    for area in sorted(before.keys() | after.keys()):
        old, new = before.get(area, {}), after.get(area, {})
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                lines += [f"{area}: {key}: {change}" for change in _changes(old.get(key), new.get(key))]
    return lines


def _changes(old: Any, new: Any) -> list[str]:
    """What differs between two values; of dictionaries with many entries only those."""
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            f"{key}: {old.get(key)!r} -> {new.get(key)!r}"
            for key in sorted(old.keys() | new.keys())
            if old.get(key) != new.get(key)
        ]
    return [f"{old!r} -> {new!r}"]


# Made by chance or by the clock on each host: that they are there, whose they are and their modes are compared.
_GENERATED = re.compile(
    r"^/etc/ckan/default/sysadmin-token$"
    r"|^/var/lib/ckan-deploy/ckan/sysadmin\.[a-z-]+$"  # has the token's digest
    r"|^/etc/ssl/(certs/portal\.test\.cert|private/portal\.test\.key)$"
    r"|^/etc/ssl/(certs/ssl-cert-snakeoil\.pem|private/ssl-cert-snakeoil\.key)$"  # by ssl-cert, with PostgreSQL
    r"|^/etc/ssl/certs/java/cacerts$"  # entries have the time at which they were added
    # An environment's scripts name the slot that they were built in, and RECORD has their hashes.
    r"|^/usr/lib/(ckan/default|ckan-deploy/minio)\.a/(bin/[^/]+|pyvenv\.cfg|.*/RECORD)$"
    # Numbers and order are those in which packages came; what accounts are is an area of its own.
    r"|^/etc/(passwd|shadow|group|gshadow|subuid|subgid)-?$"
    r"|^/etc/ckan-deploy/object-storage-bundle\.pem$"  # has the certificate
    r"|^/var/lib/ckan-deploy/(minio/access|object-storage)$"  # have salts
)
# The slot in which an environment was built is as good as the other.
_SLOT = re.compile(r"^(/usr/lib/ckan/default|/usr/lib/ckan-deploy/minio|default|minio)\.b(?=/|$)")
# Stamps of reloads and locks, which live until the next boot.
_OF_THIS_BOOT = re.compile(r"^/run/ckan-deploy(/|$)")


def essence(state: State) -> State:
    """STATE without what differs between equally good histories: process identities, times, chance and slots."""
    result: State = {}
    for area in ("files", "accounts", "packages", "units", "databases", "services", "sockets"):
        result[area] = {}
        for key, value in state[area].items():
            key = _SLOT.sub(r"\1.a", key)
            if _OF_THIS_BOOT.match(key):
                continue
            if area in ("files", "units"):
                value = {name: item for name, item in value.items() if name not in _IDENTITIES}
                if "target" in value:
                    value["target"] = _SLOT.sub(r"\1.a", value["target"])
                if _GENERATED.match(key):
                    value.pop("sha256", None)
            result[area][key] = value
    roles = result["databases"].get("roles", [])
    result["databases"]["roles"] = [role.rpartition("|")[0] for role in roles]  # the last is a salted password
    return result
