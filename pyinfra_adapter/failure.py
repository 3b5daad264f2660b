"""A failure, said again where a person looks last: host, reason, log, and what to type next."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra.api import Host

from pyinfra_adapter import shown
from pyinfra_adapter.shown import Lines

MOST = 3  # lines of what a program said: the last is what stopped it
_LOG = re.compile(r"/var/log/[\w./@+-]*\.log\b")
_JOURNAL = re.compile(r"journalctl( -u '?[\w@*.-]+'?)")


@dataclass(frozen=True)
class Failure:
    """What went wrong.

    + what: the name of the operation, or what was being done
    + host: None where it cannot be told
    + reason: lines
    + took: how long it went on, as people read it; "" where that is not known
    """

    what: str
    host: Host | None
    reason: Sequence[str]
    took: str = ""

    def show(self, lines: Lines) -> None:
        """Print it."""
        where = ", ".join(word for word in (self.host.name if self.host else "", self.took) if word)
        lines.problem(f"failed: {self.what}{f' ({where})' if where else ''}", fg="red", bold=True)
        reason = [line for line in self.reason if line.strip()] or ["it said nothing"]
        for number, line in enumerate(reason):
            lines.problem(f"    {'reason:' if number == 0 else '':7} {line.strip()}")
        if self.host:
            lines.problem(f"    {'log:':7} {shown.on_host(self.host, _log(self.reason))}")


def next_step(lines: Lines, text: str) -> None:
    """Print what to do next."""
    lines.problem(f"    {'next:':7} {text}")


def _log(reason: Sequence[str]) -> str:
    """Return the command that shows the log that REASON names; else that of all services."""
    said = "\n".join(reason)
    if found := _LOG.findall(said):
        return f"tail -n 50 {found[-1]}"
    if journal := _JOURNAL.findall(said):
        return f"journalctl -n 50{journal[-1]}"
    return "journalctl -n 50"
