"""What is not ours is copied before a real operation replaces or removes it; what is ours is not."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operations import files
from tests.unit.converge import apply, settle, shim

OURS = "# Written by ckan-deploy: changes made here are undone by the next run.\nvalue = 1\n"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="copies are root's")


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "app.conf"


@pytest.fixture
def copies(kept: Path, dest: Path) -> Callable[[], list[Path]]:
    """Return the function that lists the copies of DEST, the newest first."""
    return lambda: sorted(kept.glob(f"copies/*{dest}*"))


def _foreign(dest: Path) -> None:
    dest.write_text("somebody's\n")
    dest.chmod(0o640)


def _link(dest: Path) -> None:
    dest.symlink_to("/somewhere")


@pytest.mark.parametrize("plant", [_foreign, _link])
@pytest.mark.parametrize("how", [files.install, files.link, files.absent])
def test_what_is_not_ours_is_copied(dest: Path, copies: Any, plant: Callable[[Path], None], how: Any) -> None:
    plant(dest)
    more: dict[Any, dict[str, Any]] = {
        files.install: {"dest": str(dest), "text": OURS},
        files.link: {"path": str(dest), "target": "/ours"},
    }
    settle(how, **more.get(how, {"path": str(dest)}))
    (copy,) = copies()
    if plant is _link:
        assert copy.readlink() == Path("/somewhere")
    else:
        assert (copy.read_text(), copy.stat().st_mode & 0o777) == ("somebody's\n", 0o640)


def test_only_root_reaches_copies_and_notes(dest: Path, kept: Path) -> None:
    _foreign(dest)
    settle(files.install, dest=str(dest), text=OURS)
    for folder in (kept / "copies", kept / "written"):
        assert (folder.stat().st_mode & 0o777, folder.stat().st_uid) == (0o700, 0)


def test_what_we_wrote_is_not_copied(dest: Path, copies: Any) -> None:
    """Told by its note, with a header or without one."""
    for text in ("one\n", OURS, "two\n"):
        settle(files.install, dest=str(dest), text=text)
    settle(files.absent, path=str(dest))
    assert copies() == []


def test_what_an_earlier_ckan_deploy_wrote_is_not_copied(dest: Path, copies: Any) -> None:
    """There is no note of it, but it has our header."""
    dest.write_text(OURS)
    settle(files.install, dest=str(dest), text=f"{OURS}more = 2\n")
    assert copies() == []


def test_what_somebody_changed_is_copied_each_time(dest: Path, copies: Any) -> None:
    """Although it has our header: the note tells."""
    settle(files.install, dest=str(dest), text=OURS)
    for change in ("first\n", "second\n", "second\n"):
        dest.write_text(f"{OURS}{change}")
        settle(files.install, dest=str(dest), text=OURS)
    assert sorted(path.read_text().removeprefix(OURS) for path in copies()) == ["first\n", "second\n"]


def test_what_comes_after_a_removal_is_somebody_else_s(dest: Path, copies: Any) -> None:
    settle(files.install, dest=str(dest), text="ours\n")
    settle(files.absent, path=str(dest))
    dest.write_text("ours\n")
    settle(files.absent, path=str(dest))
    assert [path.read_text() for path in copies()] == ["ours\n"]


@pytest.mark.parametrize("unchanged", [True, False])
def test_a_package_s_configuration_is_copied_only_when_changed(
    dest: Path, copies: Any, shims: Path, unchanged: bool
) -> None:
    dest.write_text("as packaged\n")
    digest = hashlib.md5(dest.read_bytes(), usedforsecurity=False).hexdigest()
    shim(shims, "dpkg-query", f"printf ' /etc/other 0\\n {dest} %s\\n' {digest if unchanged else '0' * 32}")
    settle(files.install, dest=str(dest), text=OURS)
    assert len(copies()) == (0 if unchanged else 1)


def test_a_refused_file_is_neither_lost_nor_copied_twice(dest: Path, copies: Any) -> None:
    _foreign(dest)
    for _ in range(2):
        assert apply(files.install, dest=str(dest), text=OURS, check="false").failed
        assert dest.read_text() == "somebody's\n"
    assert [path.read_text() for path in copies()] == ["somebody's\n"]


def test_without_room_for_the_copy_nothing_is_replaced(dest: Path, kept: Path, small_disk: Path) -> None:
    """A file is replaced only when its copy is whole."""
    path = small_disk / "app.conf"
    path.write_text("x" * 3_000_000)
    copies = kept / "copies"
    moved = kept / "copies.moved"
    if copies.exists():
        copies.rename(moved)
    copies.symlink_to(small_disk)
    try:
        assert apply(files.install, dest=str(path), text=OURS).failed
        assert path.stat().st_size == 3_000_000
    finally:
        copies.unlink()
        if moved.exists():
            moved.rename(copies)
