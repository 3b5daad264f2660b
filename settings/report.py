"""What is set, from where, and what is wrong: the settings of an inventory as rows for people and programs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from settings.host import HostSettings
from settings.masking import MASK
from settings.offline import IN_THE_STORE, Offline
from settings.origin import DEFAULT, Origin
from settings.resolve import Resolution
from settings.rule import Unknown
from settings.schema import Setting, settings
from settings.shown import plain, shown
from settings.store import FROM_ENVIRONMENT, MISSING

_WIDTH = 44


@dataclass(frozen=True)
class Row:
    """One setting of one host.

    + known: whether the value is; not so where it is wrong, or derived from what is wrong
    + value: as JSON has it, secrets masked
    + state: of a secret: in the store, missing, made by the next run, not needed
    """

    host: str
    name: str
    kind: str
    unit: str
    known: bool
    value: Any
    state: str
    origin: Origin

    @property
    def mine(self) -> bool:
        """Whether it is set in the repository: in a data file, the inventory, or the store of secrets there."""
        stored = self.state == IN_THE_STORE and not self.origin.place.startswith(FROM_ENVIRONMENT)
        return self.origin.kind == "file" or stored

    @property
    def shown(self) -> str:
        """The value for people."""
        if self.state:
            return f"{MASK}, {self.state}" if self.state == IN_THE_STORE else self.state
        if not self.known:
            return "not known"
        unit = self.unit if self.value is not None else ""
        return f"{shown(self.value, _WIDTH - len(unit) - 1)} {unit}".rstrip()


def rows(found: Resolution, store: Offline) -> list[Row]:
    """Return all settings of all hosts, in the order of the schema; a host has those of its components."""
    return [
        _row(found, store, host, setting)
        for host, source in found.values.sources.items()
        for setting in settings().values()
        if setting.component.group in ("", *source.groups)
    ]


def _row(found: Resolution, store: Offline, host: str, setting: Setting) -> Row:
    def row(known: bool, value: Any, origin: Origin, state: str = "") -> Row:
        return Row(host, setting.name, setting.kind, setting.unit, known, plain(value), state, origin)

    if setting.kind == "derived":
        derivation = Origin("derived", "derived", inputs=setting.inputs)
        made = found.hosts.get(host)
        if made and getattr(made, setting.component.prefix) is None:
            return row(False, None, derivation, "not needed")
        value = _derived(made, setting) if made else None
        state = "derived" if setting.secret and value is not None else ""
        return row(made is not None, MASK if state else value, derivation, state and f"{MASK}, derived")
    if setting.secret:
        state = store.states.get((setting.name, host), "not needed")
        there = state == IN_THE_STORE
        place = Origin("store", store.origin(setting.name, host) if there else "the secret store")
        return row(there, MASK if there else None, DEFAULT if state == "not needed" else place, state)
    origin = found.values.origin(host, setting.name)
    if setting.inputs and origin == DEFAULT and (made := found.hosts.get(host)):
        value = _derived(made, setting)
        if value not in (None, setting.default):
            return row(True, value, Origin("derived", "derived", inputs=setting.inputs))
    try:
        return row(True, found.values.of(host, setting.name), origin)
    except Unknown:
        return row(False, None, Origin("default", MISSING) if origin == DEFAULT else origin)


def _derived(made: HostSettings, setting: Setting) -> Any:
    component = getattr(made, setting.component.prefix)
    return getattr(component, setting.field, None)  # a host without that component has no value of it


def as_table(chosen: list[Row], found: Resolution) -> str:
    """Return the CHOSEN rows as a table for each host."""
    lines: list[str] = []
    for host, source in found.values.sources.items():
        own = [row for row in chosen if row.host == host]
        if not own:
            continue
        cells = [("setting", "value", "kind", "origin"), *((r.name, r.shown, r.kind, str(r.origin)) for r in own)]
        widths = [max(len(row[column]) for row in cells) for column in range(3)]
        lines += ["", f"{host} ({', '.join(source.groups)}; {source.origin})", ""]
        lines += [
            "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in cells
        ]
    return "\n".join(lines[1:])


def as_json(chosen: list[Row], found: Resolution) -> dict[str, Any]:
    """Return the CHOSEN rows and all problems for programs; secrets masked."""
    return {
        "hosts": {
            host: {
                "groups": list(source.groups),
                "settings": {
                    row.name: {key: value for key, value in asdict(row).items() if key not in ("host", "name")}
                    for row in chosen
                    if row.host == host
                },
            }
            for host, source in found.values.sources.items()
            if any(row.host == host for row in chosen)
        },
        "problems": [
            {
                "text": str(problem),
                "says": problem.says,
                "file": problem.where.place if problem.where and problem.where.kind == "file" else None,
                "line": problem.where.line if problem.where else None,
                "settings": list(problem.names),
            }
            for problem in found.problems
        ],
    }
