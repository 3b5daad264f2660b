"""What the unit tests share."""

from __future__ import annotations

import getpass
import grp
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit import generated


@pytest.fixture(autouse=True)
def _fakes() -> None:
    """Give pyinfra-testing's fake state the stage that our foresight asks for."""
    generated.prepare_fakes()


@pytest.fixture
def owner() -> dict[str, Any]:
    """Owner and group that whoever runs the tests may give to a file."""
    return {"owner": getpass.getuser(), "group": grp.getgrgid(os.getgid()).gr_name}


@pytest.fixture
def shims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder at the front of PATH, for ``converge.shim``."""
    folder = tmp_path / "shims"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 4 MB."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount")
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=755", "tmpfs", path], check=True)
    yield path
    subprocess.run(["umount", path], check=True)
