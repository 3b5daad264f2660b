"""Where a host's settings come from: pyinfra's inventory, seen as plain values with their origins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pyinfra.api import Inventory


@dataclass(frozen=True)
class HostSource:
    """What the inventory says of one host.

    + groups: names of its groups
    + layers: pairs of a name and a dictionary, the strongest first, as pyinfra ranks them
    """

    groups: tuple[str, ...]
    layers: tuple[tuple[str, Mapping[str, Any]], ...] = field(repr=False)

    @property
    def data(self) -> dict[str, Any]:
        """All values, the strongest of each name."""
        merged: dict[str, Any] = {}
        for _, layer in reversed(self.layers):
            merged.update(layer)
        return merged

    def origin(self, name: str) -> str:
        """Say where the value of NAME was set."""
        return next((f"set for {label}" for label, layer in self.layers if name in layer), "its default")


def from_inventory(inventory: Inventory) -> dict[str, HostSource]:
    """Return the sources of all hosts of a pyinfra inventory, excluded ones included."""
    source: Any = inventory  # its data getters have no types
    return {
        host.name: HostSource(
            groups=tuple(host.groups),
            layers=(
                ("this run by --data", dict(source.get_override_data())),
                (f"host {host.name}", dict(source.get_host_data(host.name))),
                *((f"group {group}", dict(source.get_group_data(group))) for group in reversed(host.groups)),
                ("all hosts", dict(source.get_data())),
            ),
        )
        for host in inventory
    }
