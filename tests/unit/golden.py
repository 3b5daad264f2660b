"""Files that tests compare with; ``script/golden`` writes all of them anew, after a change that is meant."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

import pytest

WRITE = bool(os.environ.get("CKAN_DEPLOY_WRITE_GOLDEN"))


def agrees(path: Path, found: str) -> None:
    """Fail with the difference unless the file PATH is what was FOUND; ``script/golden`` makes it so."""
    if WRITE:
        path.write_text(found)
    wanted = path.read_text() if path.exists() else ""
    if found != wanted:
        lines = difflib.unified_diff(wanted.splitlines(), found.splitlines(), path.name, "found", lineterm="")
        pytest.fail("\n".join([*lines, "If that is meant, run script/golden, and read `git diff`."]), pytrace=False)
