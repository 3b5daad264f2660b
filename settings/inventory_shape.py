"""Whether an inventory's groups are lists of hosts, as pyinfra takes them: it says little of what is none.

A forgotten bracket makes a tuple of a name and its data, whose letters pyinfra takes for hosts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from settings.data_files import DataFiles
from settings.inventory_checks import GROUPS
from settings.origin import Problem

_HOST = '("HOST", {"address": "…"})'


def misshapen(values: Mapping[str, Any], files: DataFiles) -> Iterator[Problem]:
    """Yield what of VALUES, which an inventory binds, is meant for a group of hosts and is none."""
    for name, value in values.items():
        if says := _wrong(value, certain=name in (*GROUPS, "all")):
            yield Problem(f"group {name}: {says}", files.of_group(name), (name,))


def _wrong(value: Any, *, certain: bool) -> str:
    """Say why VALUE is no group; empty when it is one.

    + certain: by its name it must be one; else it may be something of the inventory's own
    """
    match value:
        case list():
            return _wrong_hosts(value, certain=certain)
        case (list() as hosts, dict()):
            return _wrong_hosts(hosts, certain=certain)
        case (str() as host, dict()):
            return f'a host stands alone, but a group is a list: write `[("{host}", {{…}})]`, with brackets'
        case str() if certain:
            return f'{value!r} is a text, but a group is a list of hosts: write `["{value}"]`, with brackets'
        case tuple() if certain:
            return f"a tuple of hosts is taken for something else; write a list: `[{_HOST}, …]`, with brackets"
        case tuple():  # whatever it is, pyinfra fails on it
            return "a tuple is taken for hosts and their data; if it is something else, let its name begin with _"
        case _ if certain:
            return f"it is {type(value).__name__}, but must be a list of hosts: `[{_HOST}]`"
    return ""


def _wrong_hosts(hosts: list[Any], *, certain: bool) -> str:
    for host in hosts:
        match host:
            case str() | (str(), dict()):
                continue
            case dict() if certain or isinstance(hosts[0], str):
                return f"a host and its data belong together: write `[{_HOST}]`, with parentheses"
            case _ if certain:
                return f"{host!r:.60} is no host; each is a name or `{_HOST}`"
    return ""
