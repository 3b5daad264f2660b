"""Where a value comes from, and what is wrong there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

OriginKind = Literal["file", "command line", "derived", "store", "default"]


@dataclass(frozen=True)
class Origin:
    """Where a value comes from.

    + kind: of the origin; ``file`` is any data file, the inventory included
    + place: a file's path, or text for people ("--data", "the secret store")
    + line: in the file; None where it cannot be told for certain
    + inputs: names of the settings that a derived value was made from
    """

    kind: OriginKind
    place: str
    line: int | None = None
    inputs: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.inputs:
            return f"{self.place} from {', '.join(self.inputs)}"
        return self.place if self.line is None else f"{self.place}:{self.line}"


DEFAULT = Origin("default", "default")
INVENTORY = Origin("file", "the inventory")
COMMAND_LINE = Origin("command line", "--data")


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    + says: what is wrong, what is allowed and what to do
    + where: the place to look at; None where there is none, as for a secret that is missing
    + names: the settings involved
    """

    says: str
    where: Origin | None = None
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.says if self.where is None else f"{self.where}: {self.says}"

    @property
    def order(self) -> tuple[bool, bool, str, int, str]:
        """Files by name and line first, then the command line, then what has no place."""
        where = self.where
        if where is None:
            return (True, True, "", 0, self.says)
        return (False, where.kind != "file", where.place, where.line or 0, self.says)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Return PROBLEMS sorted, each once: what stands in a file for several hosts is wrong once."""
    return sorted({str(problem): problem for problem in problems}.values(), key=lambda problem: problem.order)
