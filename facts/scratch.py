"""Facts about folders of temporary files."""

from __future__ import annotations

from pyinfra.api import FactBase, QuoteString, StringCommand
from typing_extensions import override


class Recorded(FactBase[tuple[str, ...]]):
    """Folders that ``operations.scratch`` made, as it noted them.

    + record: path of its note; a link that stands there is none
    """

    @override
    def command(self, record: str) -> StringCommand:
        """Build the one command of this fact."""
        path = QuoteString(record)
        return StringCommand("if [ -f", path, "] && [ ! -L", path, "]; then cat", path, "; fi")

    @staticmethod
    @override
    def default() -> tuple[str, ...]:
        """None were made."""
        return ()

    @override
    def process(self, output: list[str]) -> tuple[str, ...]:
        """One path a line."""
        return tuple(sorted(output))
