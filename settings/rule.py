"""What a rule about several settings is.

A rule is a plain function of a ``View`` that yields a ``Clash`` for each problem. It ends where it asks for a value
that is wrong or missing, which is said already; what it found before stays, and no other rule is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True)
class Clash:
    """Settings that do not fit together.

    + names: those involved, the one to look at first in front
    + says: what is not possible and what to do
    + host: the host whose values they are, where several have them
    + quiet: the values are not said, since they may hold a secret
    """

    names: tuple[str, ...]
    says: str
    host: str = ""
    quiet: bool = False


class Unknown(Exception):
    """A value that a rule asks for is wrong or missing."""


class View(Protocol):
    """The valid settings of an inventory, defaults included, as rules see them."""

    def __getitem__(self, name: str) -> Any:
        """Value of NAME for the one host that has its component, else for the portal's. Raises ``Unknown``."""

    def of(self, host: str, name: str) -> Any:
        """Value of NAME for HOST. Raises ``Unknown``."""

    def hosts(self) -> list[str]:
        """Names of all hosts."""

    def members(self, group: str) -> list[str]:
        """Names of the hosts in GROUP."""

    def given(self, name: str) -> bool:
        """Whether NAME was set, for the host that ``[name]`` means."""


Rule = Callable[[View], Iterator[Clash]]
