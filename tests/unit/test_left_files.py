"""Files of users are not left behind silently: what is counted, and what preflight makes of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploys.checks import left_files
from facts.left_files import LeftFiles, LeftState
from settings.resolve import resolve
from settings.store import SecretStore
from tests.unit.test_settings import ONE, sources


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., dict[str, LeftState]]:
    """Return the function that asks this machine; paths are below a folder of the test's."""
    (tmp_path / "ckan.ini").write_text(f"[DEFAULT]\n[app:main]\nckan.storage_path = {tmp_path}/old\n")
    (tmp_path / "minio.conf").write_text(f'# ours\nMINIO_VOLUMES="{tmp_path}/objects"\n')
    (tmp_path / "mark").mkdir()

    def ask(storage: str = "", data: str = "") -> dict[str, LeftState]:
        fact = LeftFiles()
        command = fact.command(
            ini=f"{tmp_path}/ckan.ini",
            storage=storage and f"{tmp_path}/{storage}",
            environment=f"{tmp_path}/minio.conf",
            mark=f"{tmp_path}/mark",
            data=data and f"{tmp_path}/{data}",
        ).get_raw_value()
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        return fact.process(done.stdout.splitlines())

    return ask


def put(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("somebody's")


def test_nothing_is_left_behind(found: Any, tmp_path: Path) -> None:
    """Where the folder stays, is empty, leads to the same place, or all is in its successor."""
    assert found("new", "new-objects") == {}
    put(tmp_path / "objects/.minio.sys/config/config.json/xl.meta")
    (tmp_path / "old/resources").mkdir(parents=True)
    assert found("new", "new-objects") == {}
    put(tmp_path / "old/resources/abc/def")
    put(tmp_path / "objects/bucket/key/xl.meta")
    (tmp_path / "link").symlink_to(tmp_path / "old")
    assert found("old", "objects") == found("link", "objects") == {}
    put(tmp_path / "new/resources/abc/def")
    put(tmp_path / "new-objects/bucket/key/xl.meta")
    assert found("new", "new-objects") == {}


def test_files_that_would_be_left_behind(found: Any, tmp_path: Path) -> None:
    put(tmp_path / "old/resources/abc/def")
    put(tmp_path / "old/storage/uploads/group/logo.png")
    put(tmp_path / "new/resources/abc/def")
    assert found("new", "objects") == {"uploads": LeftState(f"{tmp_path}/old", 2, 1)}


@pytest.mark.parametrize("data", ["new-objects", ""])
def test_objects_that_would_be_left_behind(found: Any, tmp_path: Path, data: str) -> None:
    """In another folder, or without MinIO on the host."""
    put(tmp_path / "objects/.minio.sys/config/config.json/xl.meta")
    put(tmp_path / "objects/bucket/key/xl.meta")
    assert found("", data) == {"objects": LeftState(f"{tmp_path}/objects", 1, 0)}


def test_a_minio_of_somebody_else_is_none_of_ours(found: Any, tmp_path: Path) -> None:
    put(tmp_path / "objects/bucket/key/xl.meta")
    (tmp_path / "mark").rmdir()
    assert found("", "") == {}


class Host:
    """A host on which uploads and objects would be left behind."""

    name = "data"

    def get_fact(self, fact: Any, **arguments: Any) -> Any:
        return {"uploads": LeftState("/old", 45, 2), "objects": LeftState("/objects", 7, 0)}


def said(tmp_path: Path, **data: Any) -> list[str]:
    settings = resolve(sources(ONE, data), SecretStore(tmp_path / "secrets", generate=True))["data"]
    return left_files.left_files(settings)


def test_what_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(left_files, "host", Host())
    assert said(tmp_path) == [
        "its uploads would be in /var/lib/ckan/default, which holds 2 files, while the present folder, /old, holds 45; "
        'move them as docs/services.md has it, stay with ckan_storage_path = "/old", or leave them behind with '
        'base_leave_behind = ["/old"]',
        "its objects would be in no MinIO on this host any more, while the present folder, /objects, holds 7; move "
        'them as docs/services.md has it, or leave them behind with base_leave_behind = ["/objects"]',
    ]
    assert said(tmp_path, base_leave_behind=["/objects", "/old"]) == []
