"""Facts about time."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pyinfra.api import FactBase
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value


@dataclass(frozen=True)
class ClockState(Value):
    """Seconds by which the host's clock is ahead of this machine's; negative where it is behind.

    It is as exact as the answer is fast: right to a few seconds.
    """

    ahead: float = 0.0


class Clock(FactBase[ClockState]):
    """How the host's clock differs from this machine's."""

    @override
    def command(self) -> str:
        """Build the one command of this fact."""
        return "date +%s"

    @staticmethod
    @override
    def default() -> ClockState:
        """It cannot be told."""
        return ClockState()

    @override
    def process(self, output: list[str]) -> ClockState:
        """Compare the host's seconds with this machine's; raises ``FactProcessError`` with the output shown."""
        if not output:
            return self.default()
        try:
            return ClockState(int(output[-1]) - time.time())
        except ValueError:
            raise FactProcessError(f"the host's time is not understood: {output!r}") from None
