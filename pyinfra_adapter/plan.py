"""The plan for people: what would change, one line for each operation, and in the end how much that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pyinfra.api import Host, State

from pyinfra_adapter import shown, told
from pyinfra_adapter.shown import Lines

Notes = Mapping[tuple[str, str], Sequence[str]]


def changes(state: State) -> dict[str, list[Host]]:
    """Return the operations that would change something, in order, and the hosts on which they would."""
    found: dict[str, list[Host]] = {}
    hosts = sorted(state.inventory.iter_activated_hosts(), key=lambda host: host.name)
    for op_hash in state.get_op_order():  # type: ignore[no-untyped-call]
        for host in hosts:
            if op_hash in state.ops[host] and state.ops[host][op_hash].operation_meta._maybe_is_change:
                found.setdefault(op_hash, []).append(host)
    return found


def show(state: State, lines: Lines, notes: Notes) -> int:
    """Print the plan; return how many changes it has."""
    planned = changes(state)
    for op_hash, hosts in planned.items():
        operation(lines, shown.name_of(state, op_hash), {host.name: "" for host in hosts}, op_hash, notes)
    count = sum(map(len, planned.values()))
    active = list(state.inventory.iter_activated_hosts())
    same = sum(len(state.ops[host]) for host in active) - count
    if count:
        where = shown.number(len({host for hosts in planned.values() for host in hosts}), "host")
        says = f"{count} to change on {where}, {same} as wanted"
    else:
        says = f"nothing to change, {same} as wanted on {shown.number(len(active), 'host')}"
    if restarts := dict.fromkeys(name for host in active for name in told.restarted(host)):
        says += f"; restarts {_listed(list(restarts))}"
    lines.result(f"Plan: {says}", bold=True)
    return count


def operation(lines: Lines, name: str, hosts: Mapping[str, str], op_hash: str, notes: Notes) -> None:
    """Print the line of an operation: its NAME, HOSTS with what is to be said of each, and its notes.

    A note of one line stands in the same line; a difference stands below, under its host where there are several.
    """
    said = {host: list(notes.get((host, op_hash), ())) for host in hosts}
    different = {tuple(own) for own in said.values()}
    where = ", ".join(f"{host} {more}".rstrip() for host, more in hosts.items())
    if len(different) == 1 and len(only := next(iter(different))) == 1:
        lines.result(f"    {name} ({where}): {only[0]}")
        return
    lines.result(f"    {name} ({where})")
    for host, own in said.items():
        if own and len(different) > 1:
            lines.result(f"        {host}:")
        for text in own if len(different) > 1 or host == next(iter(said)) else ():
            lines.result(f"        {text}", **_style(text))


def _style(text: str) -> dict[str, str]:
    """Colours of a difference."""
    return {"fg": "green" if text.startswith("+") else "red"} if text[:1] in ("+", "-") else {}


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]
