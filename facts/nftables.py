"""Facts about nftables' rules in force."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value

# How nft prints rules depends on its version, so the wanted ones are loaded, too: into a network namespace that
# lasts as long as the command, and printed there by the same nft.
_SCRIPT = r"""
command -v nft >/dev/null || exit 0
printf '%s\n' "$3" | unshare -n sh -c 'nft -f - && nft list table "$1" "$2"' ckan-deploy "$1" "$2" |
  sed 's/^/wanted /'
nft list table "$1" "$2" 2>/dev/null | sed 's/^/found /'
"""


@dataclass(frozen=True)
class TableState(Value):
    """A table as nft prints it: the one in force (empty: there is none), and the wanted one."""

    found: str = ""
    wanted: str | None = None

    @property
    def settled(self) -> bool:
        """Whether the wanted rules are in force."""
        return self.found == self.wanted


class Table(FactBase[TableState]):
    """The rules of one table that are in force, beside those that are wanted.

    + family, table: of nftables
    + rules: text for ``nft -f`` that makes the table
    """

    @override
    def command(self, family: str, table: str, rules: str) -> StringCommand:
        """Build the one command of this fact."""
        return StringCommand("sh -c", QuoteString(_SCRIPT), "ckan-deploy", *map(QuoteString, (family, table, rules)))

    @staticmethod
    @override
    def default() -> TableState:
        """There is no nftables."""
        return TableState()

    @override
    def process(self, output: list[str]) -> TableState:
        """Take the two listings apart; raises ``FactProcessError`` with the output shown."""
        parts: dict[str, list[str]] = {"wanted": [], "found": []}
        for line in output:
            kind, _, rest = line.partition(" ")
            if kind not in parts:
                raise FactProcessError(f"nft printed what is not understood: {output!r}")
            parts[kind].append(rest)
        if not parts["wanted"]:
            raise FactProcessError(f"nft refuses the wanted rules: {output!r}")
        return TableState("\n".join(parts["found"]), "\n".join(parts["wanted"]))
