"""What the unit tests share."""

from __future__ import annotations

import getpass
import grp
import importlib
import os
import pkgutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from operations.kept import FOLDER, WRITTEN
from tests.unit import generated

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.fixture(scope="session", autouse=True)
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return the folder for copies and notes of operations that are applied to this machine, in place of /var."""
    folder, real = tmp_path_factory.mktemp("kept"), Path(WRITTEN)
    for found in pkgutil.iter_modules([str(ROOT / "operations")]):
        module = importlib.import_module(f"operations.{found.name}")
        for name, value in list(vars(module).items()):
            if isinstance(value, str) and WRITTEN in value:
                setattr(module, name, value.replace(WRITTEN, f"{folder}/written").replace(FOLDER, f"{folder}/copies"))
    yield folder
    ours = str(tmp_path_factory.getbasetemp()).replace("/", "%2F")
    noted = [note.name for note in real.glob("*") if note.name.startswith(ours)]
    assert noted == [], "a test noted on this machine itself what it had written"
