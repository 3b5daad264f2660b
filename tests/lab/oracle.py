"""The state of a host, read independently of what the product says of itself.

A second run and a dry run must leave it equal; a repaired or interrupted run must end in it.
"""

from __future__ import annotations

import json
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


def difference(before: State, after: State) -> list[str]:
    """Each difference between two states of one host, as a line; none when nothing at all happened between them."""
    lines = []
    for area in sorted(before.keys() | after.keys()):
        old, new = before.get(area, {}), after.get(area, {})
        for key in sorted(old.keys() | new.keys()):
            if old.get(key) != new.get(key):
                lines.append(f"{area}: {key}: {old.get(key)!r} -> {new.get(key)!r}")
    return lines


def essence(state: State) -> State:
    """STATE without what differs between equally good histories: process identities, times, salts and slots."""
    result: State = {}
    for area in ("files", "packages", "units", "databases", "services", "sockets"):
        result[area] = {}
        for key, value in state[area].items():
            key = key.replace("/default.b", "/default.a")
            if isinstance(value, dict):
                value = {name: item for name, item in value.items() if name not in _IDENTITIES}
                if value.get("target") == "default.b":
                    value["target"] = "default.a"
            result[area][key] = value
    result["databases"].pop("roles", None)
    return result
