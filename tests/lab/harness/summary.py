"""Sentences of tests for the end of pytest's output: how much was looked at."""

from __future__ import annotations

LINES: list[str] = []


def add(line: str) -> None:
    """Have LINE printed at the end."""
    LINES.append(line)
    print(line)
