"""Facts about one package that came out of a file."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value


@dataclass(frozen=True)
class DebState(Value):
    """A package as dpkg knows it: ``status`` in dpkg's letters ("ii" is installed; empty: unknown), and its version."""

    status: str = ""
    version: str = ""

    @property
    def installed(self) -> bool:
        """It is installed and configured."""
        return self.status in ("ii", "hi")


class Deb(FactBase[DebState]):
    """What dpkg knows of PACKAGE.

    + package: its name
    """

    @override
    def command(self, package: str) -> StringCommand:
        """Build the one command of this fact."""
        form = QuoteString("${db:Status-Abbrev}|${Version}\n")
        return StringCommand("dpkg-query -W -f", form, QuoteString(package), "2>/dev/null || true")

    @staticmethod
    @override
    def default() -> DebState:
        """Dpkg does not know it."""
        return DebState()

    @override
    def process(self, output: list[str]) -> DebState:
        """Parse the line; raises ``FactProcessError`` with the output shown."""
        status, bar, version = "".join(output).partition("|")
        if not bar:
            raise FactProcessError(f"dpkg-query printed what is not understood: {output!r}")
        return DebState("" if status[1:2] == "n" else status.strip(), version.strip())
