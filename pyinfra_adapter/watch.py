"""Follows a run: prints a line for each operation that has changed something, and knows what became of all others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from pyinfra.api import BaseStateCallback, Host, State

from pyinfra_adapter import shown


class Watch(BaseStateCallback):
    """Sees operations begin and end.

    + done: called with an operation and, for each host on which it has changed something, how many seconds it took
    + grouped: whether pyinfra waits for all hosts before the next operation; else each host is told of by itself
    """

    def __init__(self, state: State, done: Callable[[str, dict[Host, float]], None], grouped: bool) -> None:
        self._state, self._done, self._grouped = state, done, grouped
        order: list[str] = state.get_op_order()  # type: ignore[no-untyped-call]
        self._order: dict[str, int] = {key: place for place, key in enumerate(order, 1)}
        self._began = time.monotonic()
        self._started: dict[tuple[Host, str], float] = {}
        self._took: dict[tuple[Host, str], float] = {}
        self._told: set[tuple[Host, str]] = set()
        self._current = ""

    # pyinfra declares these as functions without the object; it calls them on it.
    def operation_host_start(self, state: State, host: Host, op_hash: str) -> None:  # type: ignore[override]
        """Note when an operation begins on a host."""
        self._current = op_hash
        if op_hash in state.ops[host]:
            self._started[host, op_hash] = time.monotonic()
        if not self._grouped:
            self.flush()

    def operation_host_success(self, state: State, host: Host, op_hash: str, *rest: Any) -> None:  # type: ignore[override]
        """Note when it ends."""
        self._ended(host, op_hash)

    def operation_host_error(self, state: State, host: Host, op_hash: str, *rest: Any) -> None:  # type: ignore[override]
        """Note when it fails."""
        self._ended(host, op_hash)

    def operation_end(self, state: State, op_hash: str) -> None:  # type: ignore[override]
        """Tell of it once all hosts are done."""
        self.flush()

    def flush(self) -> None:
        """Tell of what has ended meanwhile."""
        changed: dict[str, dict[Host, float]] = {}
        for (host, op_hash), took in self._took.items():
            if (host, op_hash) not in self._told and self._meta(host, op_hash).is_complete():
                self._told.add((host, op_hash))
                if self._meta(host, op_hash).did_change():
                    changed.setdefault(op_hash, {})[host] = took
        for op_hash, hosts in changed.items():
            self._done(op_hash, hosts)

    def changed(self, host: Host) -> int:
        """Return how many operations have changed something on HOST."""
        return sum(
            self._meta(host, op_hash).is_complete() and self._meta(host, op_hash).did_change()
            for op_hash in self._state.ops[host]
        )

    def failed(self) -> list[tuple[Host, str]]:
        """Return what failed, in order."""
        return [
            (host, op_hash)
            for host, op_hash in self._took
            if self._meta(host, op_hash).is_complete()
            and self._meta(host, op_hash).did_error()
            and not self._state.ops[host][op_hash].global_arguments["_ignore_errors"]
        ]

    def under_way(self) -> list[tuple[Host, str]]:
        """Return what was begun and has not ended."""
        return [key for key in self._started if key not in self._took]

    def took(self, host: Host, op_hash: str) -> float:
        """Return for how long an operation went on, or has been going on."""
        known = self._took.get((host, op_hash))
        return known if known is not None else time.monotonic() - self._started.get((host, op_hash), time.monotonic())

    def progress(self) -> str:
        """Say where the run is, in one line."""
        if not self._current:
            return ""
        place = f"{self._order.get(self._current, 0)} of {len(self._order)}"
        elapsed = shown.clock(time.monotonic() - self._began)
        return f"    {place}, {elapsed}  {shown.name_of(self._state, self._current)}"

    def _ended(self, host: Host, op_hash: str) -> None:
        self._took[host, op_hash] = time.monotonic() - self._started[host, op_hash]

    def _meta(self, host: Host, op_hash: str) -> Any:
        return self._state.ops[host][op_hash].operation_meta
