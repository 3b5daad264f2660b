"""Which certificates an environment trusts, on real files."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations import trust
from tests.unit.converge import changed


@pytest.fixture
def list_of_certifi(tmp_path: Path) -> Path:
    path = tmp_path / "env/lib/python3.12/site-packages/certifi/cacert.pem"
    path.parent.mkdir(parents=True)
    path.write_text("certifi's own\n")
    return path


@pytest.mark.parametrize("there", ["a file", "a folder", "a link", "nothing"])
def test_the_environment_trusts_the_bundle_whatever_is_in_its_place(
    there: str, list_of_certifi: Path, tmp_path: Path
) -> None:
    if there != "a file":
        list_of_certifi.unlink()
    if there == "a folder":
        list_of_certifi.mkdir()
        (list_of_certifi / "precious").write_text("kept\n")
    elif there == "a link":
        list_of_certifi.symlink_to("/nowhere")
    wanted = {"path": str(tmp_path / "env"), "python": "3.12", "bundle": str(tmp_path / "bundle.pem")}
    assert changed(trust.environment, **wanted)
    assert list_of_certifi.readlink() == tmp_path / "bundle.pem"
    kept = [path.read_text() for path in list_of_certifi.parent.glob(".cacert.pem.*.aside.*/precious")]
    assert kept == (["kept\n"] if there == "a folder" else [])
