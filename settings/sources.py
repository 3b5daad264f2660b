"""Where a host's settings come from: layers of plain values with their origins, and which value is in force.

pyinfra's inventory makes the layers of today. Another source (a file of another system) is one more ``Layer``, with
origins of its own; what is in force, errors and reports follow from its level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

from pyinfra.api import Inventory

from settings.data_files import DataFiles
from settings.origin import COMMAND_LINE, INVENTORY, Origin, Problem
from settings.pyinfra_names import is_known
from settings.schema import settings
from settings.shown import shown


class Level(IntEnum):
    """Levels of layers, the strongest first."""

    COMMAND_LINE = 0
    HOST = 1
    ENVIRONMENT = 2
    ROLE = 3
    ALL = 4


@dataclass(frozen=True)
class Layer:
    """Values of one source at one level.

    + name: of the host or group that they are for; "--data" for the command line
    + values: by the settings' names
    + origins: of those values
    """

    level: Level
    name: str
    values: Mapping[str, Any] = field(repr=False)
    origins: Mapping[str, Origin] = field(repr=False)


@dataclass(frozen=True)
class Value:
    """A value in force, where it comes from, and of which level and group or host."""

    value: Any = field(repr=False)
    origin: Origin
    layer: Layer = field(repr=False, compare=False)


@dataclass(frozen=True)
class HostSource:
    """What the inventory says of one host.

    + groups: names of its groups
    + layers: in any order, but those of a level as pyinfra ranks them, the strongest first
    + origin: where the host itself stands
    """

    groups: tuple[str, ...]
    layers: tuple[Layer, ...] = field(repr=False)
    origin: Origin = INVENTORY

    @property
    def data(self) -> dict[str, Any]:
        """The values in force, right or wrong."""
        return {name: value.value for name, value in self.pick()[0].items()}

    def pick(self) -> tuple[dict[str, Value], list[Problem]]:
        """Return the value in force of each name, and what is wrong with that.

        The strongest level that has a name decides. Layers of one level must agree. For pyinfra's own names pyinfra
        decides, so its choice must be the same.
        """
        found: dict[str, list[Value]] = {}
        for layer in sorted(self.layers, key=lambda layer: layer.level):
            for name, value in layer.values.items():
                found.setdefault(name, []).append(Value(value, layer.origins[name], layer))
        values = {name: candidates[0] for name, candidates in found.items()}
        problems = []
        for name, candidates in found.items():
            equals = [one for one in candidates if one.layer.level == candidates[0].layer.level]
            other = next((one for one in equals if not _same(one.value, equals[0].value)), None)
            if other is not None and (name in settings() or is_known(name)):
                problems.append(_disagreement(name, equals[0], other))
            elif is_known(name) and not _same((ranked := self._pyinfra(name)).value, candidates[0].value):
                problems.append(_ranked(name, candidates[0], ranked))
        return values, problems

    def _pyinfra(self, name: str) -> Value:
        """Return what pyinfra takes for NAME: among groups the last that the inventory defines."""
        ranks = (Level.COMMAND_LINE,), (Level.HOST,), (Level.ENVIRONMENT, Level.ROLE), (Level.ALL,)
        order = {f"group {group}": position for position, group in enumerate(self.groups)}
        layers = [layer for layer in self.layers if name in layer.values]
        strongest = next(found for levels in ranks if (found := [one for one in layers if one.level in levels]))
        layer = max(strongest, key=lambda layer: order.get(layer.name, -1))
        return Value(layer.values[name], layer.origins[name], layer)


def _same(one: Any, other: Any) -> bool:
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _value(name: str, value: Any) -> str:
    """NAME with its value, which is not shown where it may be a secret."""
    setting = settings().get(name)
    return name if setting is None or setting.secret else f"{name} = {shown(value)}"


def _disagreement(name: str, one: Value, other: Value) -> Problem:
    first, second = sorted((one, other), key=lambda value: Problem("", value.origin).order)
    return Problem(
        f"{_value(name, first.value)} for {first.layer.name}, but {_value(name, second.value)} for {second.layer.name} "
        f"({second.origin}), and hosts are in both; make them equal, or set {name} for the host or the environment",
        first.origin,
        (name,),
    )


def _ranked(name: str, ours: Value, theirs: Value) -> Problem:
    return Problem(
        f"{name} for {ours.layer.name} is stronger than that for {theirs.layer.name} ({theirs.origin}), but pyinfra, "
        f"which reads it, takes the latter; set {name} for one of them only",
        ours.origin,
        (name,),
    )


def from_inventory(inventory: Inventory, files: DataFiles | None = None) -> dict[str, HostSource]:
    """Return the sources of all hosts of a pyinfra inventory, excluded ones included.

    + files: the files that it came from
    """
    source: Any = inventory  # its data getters have no types
    files = files or DataFiles()

    def of_group(group: str, level: Level) -> Layer:
        values = dict(source.get_data() if level == Level.ALL else source.get_group_data(group))
        origins = {name: files.of_group_data(group, name, value) for name, value in values.items()}
        return Layer(level, "all hosts" if level == Level.ALL else f"group {group}", values, origins)

    def of_host(name: str) -> HostSource:
        host = inventory.get_host(name)
        given, own = dict(source.get_override_data()), dict(source.get_host_data(name))
        groups = {
            group: of_group(group, Level.ENVIRONMENT if group == files.environment else Level.ROLE)
            for group in reversed(host.groups)
        }
        return HostSource(
            groups=tuple(host.groups),
            layers=(
                Layer(Level.COMMAND_LINE, "this run", given, dict.fromkeys(given, COMMAND_LINE)),
                Layer(
                    Level.HOST,
                    f"host {name}",
                    own,
                    {key: files.of_host_data(name, key, value) for key, value in own.items()},
                ),
                *groups.values(),
                of_group("all", Level.ALL),
            ),
            origin=files.of_host(name),
        )

    return {host.name: of_host(host.name) for host in inventory}
