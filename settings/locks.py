"""The lock files of CKAN's Python environment, one for each flavour and Python version."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

_LOCKS = Path(__file__).resolve().parent.parent / "locks"


@cache
def lock(flavour: str, python: str) -> str:
    """Text of the complete lock of FLAVOUR for PYTHON ("3.12"). Raises ``FileNotFoundError``."""
    return (_LOCKS / f"{flavour}-py{python}.txt").read_text()


@cache
def schema() -> dict[str, str]:
    """CKAN's Solr schema: ``version`` of CKAN, ``requirement`` line of its wheel, ``sha256`` of the schema.

    ``script/lock`` writes it together with the locks.
    """
    found: dict[str, str] = json.loads((_LOCKS / "ckan-schema.json").read_text())
    return found


def version(text: str, package: str) -> str:
    """Version of PACKAGE in the lock TEXT. Raises ``KeyError``."""
    match = re.search(rf"^{re.escape(package)}(?:\[[^]]*\])?==([^\s;\\]+)", text, re.MULTILINE)
    if match is None:
        raise KeyError(package)
    return match.group(1)
