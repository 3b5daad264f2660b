"""The valid settings of an inventory, as rules and derivations see them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from settings.inventory_checks import members
from settings.origin import DEFAULT, Origin, Problem
from settings.rule import Clash, Rule, Unknown
from settings.schema import settings
from settings.shown import shown
from settings.sources import HostSource, Value


@dataclass(frozen=True)
class Values:
    """Settings of all hosts: a ``settings.rule.View``.

    + sources: the hosts
    + picked: by host and name, what was set, right or wrong
    + valid: by host and name, what was set and is right, in its own type
    """

    sources: Mapping[str, HostSource]
    picked: Mapping[str, Mapping[str, Value]] = field(repr=False)
    valid: Mapping[str, Mapping[str, Any]] = field(repr=False)

    def __getitem__(self, name: str) -> Any:
        return self.of(self.host_of(name), name)

    def of(self, host: str, name: str) -> Any:
        """Value of NAME for HOST. Raises ``Unknown``."""
        if name in self.valid[host]:
            return self.valid[host][name]
        if name in self.picked[host] or settings()[name].required:
            raise Unknown(name)
        return settings()[name].default

    def hosts(self) -> list[str]:
        """Names of all hosts."""
        return list(self.sources)

    def members(self, group: str) -> list[str]:
        """Names of the hosts in GROUP."""
        return members(self.sources, group)

    def given(self, name: str) -> bool:
        """Whether NAME was set, for the host that ``[name]`` means."""
        return name in self.picked[self.host_of(name)]

    def host_of(self, name: str) -> str:
        """Return the one host that has the component of NAME, else the portal's. Raises ``Unknown``."""
        return self.host_in(settings()[name].component.group or "portal")

    def host_in(self, group: str) -> str:
        """Return the one host in GROUP. Raises ``Unknown``."""
        found = self.members(group)
        if len(found) != 1:
            raise Unknown(group)
        return found[0]

    def origin(self, host: str, name: str) -> Origin:
        """Where the value of NAME for HOST comes from."""
        return self.picked[host][name].origin if name in self.picked[host] else DEFAULT

    def broken(self, rules: Iterable[Rule]) -> list[Problem]:
        """Return what RULES find; one that asks for a value that is wrong anyway ends there."""
        found: list[Problem] = []
        for rule in rules:
            with suppress(Unknown):
                for clash in rule(self):  # one by one: what it found before stays
                    found.append(self._problem(clash))
        return found

    def _problem(self, clash: Clash) -> Problem:
        """Say the values of a clash and their places; the first that was set is the place to look at."""
        places = [(name, clash.host or self.host_of(name)) for name in clash.names]
        origins = [self.origin(host, name) for name, host in places]
        first = next((origin for origin in origins if origin != DEFAULT), None)
        said = [
            f"{name}{'' if clash.quiet else f' = {shown(self.of(host, name))}'}"
            + (f" ({origin})" if origin != first else "")
            for (name, host), origin in zip(places, origins, strict=True)
        ]
        return Problem(f"{', '.join(said)}: {clash.says}", first, clash.names)
