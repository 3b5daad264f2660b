"""Folders of temporary files, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from operations import scratch
from tests.unit.converge import changed, settle


def test_folders_come_and_go(tmp_path: Path, owner: dict[str, Any]) -> None:
    record, first, second = tmp_path / "notes/record", tmp_path / "first", tmp_path / "second"
    where: dict[str, Any] = {**owner, "record": str(record)}
    assert settle(scratch.folders, paths=[str(first)], **where).changed
    (first / "half").write_text("temporary")
    assert settle(scratch.folders, paths=[str(second)], **where).changed
    assert not first.exists()
    assert settle(scratch.folders, paths=[], **where).changed
    assert list(tmp_path.iterdir()) == []


def test_a_link_in_place_of_the_record_is_replaced(tmp_path: Path, owner: dict[str, Any]) -> None:
    record, folder = tmp_path / "record", tmp_path / "folder"
    where: dict[str, Any] = {"paths": [str(folder)], **owner, "record": str(record)}
    settle(scratch.folders, **where)
    record.rename(tmp_path / "elsewhere")
    record.symlink_to(tmp_path / "elsewhere")
    assert changed(scratch.folders, **where)
    assert not record.is_symlink()
    assert record.read_text() == f"{folder}\n"


def test_a_folder_in_place_of_the_record_is_moved_aside(tmp_path: Path, owner: dict[str, Any]) -> None:
    record, folder = tmp_path / "record", tmp_path / "folder"
    where: dict[str, Any] = {"paths": [str(folder)], **owner, "record": str(record)}
    record.mkdir()
    (record / "precious").write_text("kept\n")
    assert settle(scratch.folders, **where).changed
    assert record.read_text() == f"{folder}\n"
    assert [path.read_text() for path in tmp_path.glob("record.new.aside.*/precious")] == ["kept\n"]
