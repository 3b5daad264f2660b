"""What wrong times mean for a run: clocks that differ, and files from the future."""

from __future__ import annotations

from collections.abc import Sequence

from pyinfra import host, logger

from facts.clock import Clock
from operations import saying

_TOLERANCE = 60  # seconds, in which a slow answer comes, too


def say_if_off() -> None:
    """Warn when the host's clock and this machine's differ: what a run says of ages would be wrong."""
    seconds = host.get_fact(Clock).ahead
    if abs(seconds) > _TOLERANCE:
        where = "ahead of" if seconds > 0 else "behind"
        saying.once(
            f"the clock of {host.name} is {_duration(abs(seconds))} {where} this machine's: set the wrong one right "
            "(`timedatectl`), or certificates, packages' lists and tokens may be refused as too old or not valid yet",
            logger.warning,
        )


def say_ahead(paths: Sequence[str], reader: str) -> None:
    """Warn that PATHS have times in the future, which are no reason to have READER read them anew."""
    if paths:
        has, they, does = ("has a time", "it", "does") if len(paths) == 1 else ("have times", "them", "do")
        saying.once(
            f"{', '.join(paths)} {has} in the future, which {does} not count as a change: {reader} may run with what "
            f"was there before; `touch` {they} on {host.name}, and run again",
            logger.warning,
        )


def _duration(seconds: float) -> str:
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
