"""Leaves out pyinfra's remark that a plan may not be complete, which stands in the middle of a function: ours is."""

from __future__ import annotations

from typing import Any

import click

REMARK = "Detected changes may not include"


class Click:
    """What pyinfra's command line takes for click."""

    def __getattr__(self, name: str) -> Any:
        return getattr(click, name)

    @staticmethod
    def echo(message: Any = None, **options: Any) -> None:
        """Print MESSAGE, unless it is that remark."""
        if REMARK not in str(message):
            click.echo(message, **options)
