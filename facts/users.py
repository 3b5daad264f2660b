"""Facts about accounts."""

from __future__ import annotations

from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override


class Home(FactBase[str | None]):
    """Home folder of an account, or None when there is no such account.

    + user: its name
    """

    @override
    def command(self, user: str) -> StringCommand:
        """Build the one command of this fact."""
        return StringCommand("getent passwd", QuoteString(user), "| cut -d: -f6")

    @override
    def process(self, output: list[str]) -> str | None:
        """Take the line as it is."""
        return output[0]
