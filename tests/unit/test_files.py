"""Files, folders and links on this machine: each kind of drift, killed runs and failed checks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import OperationValueError

from facts.files import leftover_path
from operations import files
from operations.text import Text
from tests.unit.converge import apply, changed, mode, settle, shim

TEXT = "first\nsecond\n"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "app.conf"


def _aside(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f".{path.name}.ckan-deploy.aside.*"))


def _clean(path: Path) -> bool:
    """Whether nothing is left beside PATH."""
    return [p.name for p in path.parent.iterdir()] == [path.name]


def _empty_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _replace_by_link(path: Path) -> None:
    target = path.with_name("elsewhere")
    target.write_text(TEXT)
    path.unlink()
    path.symlink_to(target)


def _replace_by_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def _append(path: Path) -> None:
    with path.open("a") as file:
        file.write("third\n")


DRIFTS: dict[str, Callable[[Path], object]] = {
    "deleted": Path.unlink,
    "truncated": lambda path: path.write_text(""),
    "no newline at its end": lambda path: path.write_text(TEXT.rstrip()),
    "appended": _append,
    "mode": lambda path: path.chmod(0o666),
    "set-user-id": lambda path: path.chmod(0o4640),
    "replaced by a link to the same text": _replace_by_link,
    "replaced by a dangling link": _replace_by_dangling_link,
    "replaced by an empty folder": _empty_directory,
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_install_repairs(drift: str, dest: Path, owner: dict[str, Any]) -> None:
    assert changed(files.install, dest=str(dest), text=TEXT, mode=0o640, **owner)
    DRIFTS[drift](dest)
    assert changed(files.install, dest=str(dest), text=TEXT, mode=0o640, **owner)
    assert dest.read_text() == TEXT
    assert not dest.is_symlink()
    assert mode(dest) == 0o640
    assert not _aside(dest)


@needs_root
@pytest.mark.parametrize("drift", [(65534, -1), (-1, 65534)])
def test_install_repairs_owner_and_group(drift: tuple[int, int], dest: Path) -> None:
    changed(files.install, dest=str(dest), text=TEXT)
    os.chown(dest, *drift)
    assert changed(files.install, dest=str(dest), text=TEXT)
    assert (dest.stat().st_uid, dest.stat().st_gid) == (0, 0)


def test_install_does_not_write_through_a_link(dest: Path, owner: dict[str, Any]) -> None:
    victim = dest.with_name("victim")
    victim.write_text("untouched\n")
    dest.symlink_to(victim)
    assert changed(files.install, dest=str(dest), text=TEXT, **owner)
    assert victim.read_text() == "untouched\n"


def test_install_moves_a_folder_that_is_not_empty_aside(dest: Path, owner: dict[str, Any]) -> None:
    dest.mkdir()
    (dest / "precious").write_text("kept\n")
    assert changed(files.install, dest=str(dest), text=TEXT, **owner)
    (aside,) = _aside(dest)
    assert (aside / "precious").read_text() == "kept\n"


@pytest.mark.parametrize("kind", ["file", "link"])
def test_install_removes_the_rest_of_a_killed_run(kind: str, dest: Path, owner: dict[str, Any]) -> None:
    changed(files.install, dest=str(dest), text=TEXT, **owner)
    rest, victim = Path(leftover_path(str(dest))), dest.with_name("victim")
    if kind == "file":
        rest.write_text("half")
    else:
        victim.write_text("untouched\n")
        rest.symlink_to(victim)
    assert changed(files.install, dest=str(dest), text=TEXT, **owner)
    assert not rest.is_symlink()
    assert not rest.exists()
    assert kind == "file" or victim.read_text() == "untouched\n"


@pytest.mark.parametrize("command", ["cat", "chown", "chmod", "sync", "mv"])
def test_a_killed_install_leaves_the_old_file_or_the_new_one(
    command: str, dest: Path, owner: dict[str, Any], shims: Path
) -> None:
    """Whatever reads it meanwhile, too: here at each step that the kill could come after."""
    dest.write_text("old\n")
    before = dest.stat().st_ino
    # As much as was sent when the connection broke, or all of it; and then the power is cut.
    kill = {"mv": 'case $2 in file) kill -9 "$PPID";; esac'}.get(command, 'kill -9 "$PPID"')
    shim(shims, command, {"cat": "head -c 5"}.get(command, '"$REAL" "$@"') + f"; {kill}")
    outcome = apply(files.install, dest=str(dest), text=TEXT, mode=0o640, **owner)
    (shims / command).unlink()
    assert outcome.failed
    if command != "mv":
        assert (dest.read_text(), dest.stat().st_ino) == ("old\n", before)
    else:
        assert (dest.read_text(), mode(dest)) == (TEXT, 0o640)
    rest = Path(leftover_path(str(dest)))
    assert mode(rest) == 0o700, "others may look at what is being written"
    if command in ("cat", "chown"):
        assert mode(rest / "file") == 0o600, "what is written is readable by others before it has its mode"
    assert changed(files.install, dest=str(dest), text=TEXT, mode=0o640, **owner)
    assert (dest.read_text(), mode(dest)) == (TEXT, 0o640)
    assert not rest.exists()


def test_install_repeats_a_check_that_a_kill_prevented(dest: Path, owner: dict[str, Any]) -> None:
    """Killed between the rename and the check's end: the new file is in place, and nobody knows whether it is good."""
    dest.write_text("old\n")
    stop = apply(files.install, dest=str(dest), text="bad\n", check="kill -9 $PPID $$", **owner)
    assert stop.failed
    assert dest.read_text() == "bad\n"
    again = apply(files.install, dest=str(dest), text="bad\n", check=f"! grep -q bad {dest}", **owner)
    assert again.predicted
    assert again.failed
    assert dest.read_text() == "old\n"
    assert changed(files.install, dest=str(dest), text="good\n", check=f"! grep -q bad {dest}", **owner)
    assert _clean(dest)


def test_a_failed_check_puts_the_old_file_back(dest: Path, owner: dict[str, Any]) -> None:
    changed(files.install, dest=str(dest), text="old\n", mode=0o604, **owner)
    inode = dest.stat().st_ino
    outcome = apply(files.install, dest=str(dest), text=TEXT, check=f"cat {dest}; echo no good; false", **owner)
    assert outcome.failed
    assert outcome.predicted
    assert not outcome.changed
    assert "second" in outcome.output  # the check saw the new file
    assert "no good" in outcome.output
    assert f"{dest} was refused by" in outcome.output
    assert (dest.read_text(), mode(dest), dest.stat().st_ino) == ("old\n", 0o604, inode)
    assert _clean(dest)


@pytest.mark.parametrize("target", ["by-hand", "dangling"])
def test_a_failed_check_puts_an_old_link_back(target: str, dest: Path, owner: dict[str, Any]) -> None:
    """A site made by hand is a link in sites-enabled/; it must not be lost."""
    dest.with_name("by-hand").write_text("old\n")
    dest.symlink_to(target)
    assert apply(files.install, dest=str(dest), text=TEXT, check="false", **owner).failed
    assert dest.is_symlink()
    assert str(dest.readlink()) == target


def test_a_failed_check_removes_a_new_file(dest: Path, owner: dict[str, Any]) -> None:
    outcome = apply(files.install, dest=str(dest), text=TEXT, check="false", **owner)
    assert outcome.failed
    assert not list(dest.parent.iterdir())


def test_a_check_that_succeeds_leaves_nothing(dest: Path, owner: dict[str, Any]) -> None:
    dest.write_text("old\n")
    assert changed(files.install, dest=str(dest), text=TEXT, check=f"grep -q second {dest}", **owner)
    assert _clean(dest)


def test_install_needs_its_folder(tmp_path: Path, owner: dict[str, Any]) -> None:
    outcome = apply(files.install, dest=str(tmp_path / "missing/app.conf"), text=TEXT, **owner)
    assert outcome.predicted
    assert outcome.failed


def test_install_refuses_a_text_without_a_newline(dest: Path) -> None:
    with pytest.raises(OperationValueError, match="must end in a newline"):
        apply(files.install, dest=str(dest), text="no end")


@pytest.mark.parametrize(
    "text",
    ["a'b\"c$HOME `id` \\n%s\n", "ümläut €\n", "\n", "a\0b\n", "x" * 300_000 + "\n"],
    ids=["quotes", "letters", "empty", "zero", "long"],  # pytest puts the name into the environment
)
def test_install_writes_exactly_this_text(text: str, dest: Path, owner: dict[str, Any]) -> None:
    assert changed(files.install, dest=str(dest), text=Text(text, "masked\n"), **owner)
    assert dest.read_bytes() == text.encode()


def test_install_takes_strange_names(tmp_path: Path, owner: dict[str, Any]) -> None:
    for name in ("a b", "it's", "-n", "$HOME", "ü"):
        assert changed(files.install, dest=str(tmp_path / name), text=TEXT, **owner)
        assert (tmp_path / name).read_text() == TEXT


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_directory_does_not_depend_on_the_umask(umask: int, tmp_path: Path, owner: dict[str, Any]) -> None:
    before = os.umask(umask)
    try:
        assert changed(files.directory, path=str(tmp_path / "a/b/c"), mode=0o750, **owner)
    finally:
        os.umask(before)
    assert [mode(tmp_path / p) for p in ("a", "a/b", "a/b/c")] == [0o755, 0o755, 0o750]


def _into_file(path: Path) -> None:
    path.rmdir()
    path.write_text("kept\n")


def _into_link(path: Path) -> None:
    path.rmdir()
    (path.parent / "other").mkdir()
    path.symlink_to("other")


@pytest.mark.parametrize("drift", [Path.rmdir, lambda p: p.chmod(0o700), _into_file, _into_link])
def test_directory_repairs(drift: Callable[[Path], object], tmp_path: Path, owner: dict[str, Any]) -> None:
    path = tmp_path / "folder"
    assert changed(files.directory, path=str(path), mode=0o755, **owner)
    drift(path)
    assert changed(files.directory, path=str(path), mode=0o755, **owner)
    assert path.is_dir()
    assert not path.is_symlink()
    assert mode(path) == 0o755
    assert len(_aside(path)) == (drift in (_into_file, _into_link))


def test_directory_keeps_what_is_in_it(tmp_path: Path, owner: dict[str, Any]) -> None:
    path = tmp_path / "folder"
    path.mkdir(0o700)
    (path / "file").write_text("kept\n")
    (path / "file").chmod(0o600)
    assert changed(files.directory, path=str(path), mode=0o755, **owner)
    assert (path / "file").read_text() == "kept\n"
    assert mode(path / "file") == 0o600


def _full_folder(path: Path) -> None:
    path.mkdir()
    (path / "precious").write_text("kept\n")


OBSTACLES: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "another link": lambda path: path.symlink_to("other"),
    "a file": lambda path: path.write_text("x"),
    "an empty folder": Path.mkdir,
    "a folder that is not empty": _full_folder,
}


@pytest.mark.parametrize("obstacle", OBSTACLES)
def test_link(obstacle: str, tmp_path: Path) -> None:
    path = tmp_path / "current"
    OBSTACLES[obstacle](path)
    assert changed(files.link, path=str(path), target="/opt/solr-9")
    assert str(path.readlink()) == "/opt/solr-9"
    kept = [p / "precious" for p in _aside(path)]
    assert [p.read_text() for p in kept] == (["kept\n"] if obstacle == "a folder that is not empty" else [])


def test_link_removes_the_rest_of_a_killed_run(tmp_path: Path) -> None:
    path = tmp_path / "current"
    changed(files.link, path=str(path), target="a")
    Path(leftover_path(str(path))).symlink_to("b")
    assert changed(files.link, path=str(path), target="a")
    assert _clean(path)


def test_link_changes_its_target_not_what_is_behind_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    path = tmp_path / "current"
    assert changed(files.link, path=str(path), target="a")
    assert changed(files.link, path=str(path), target="b")
    assert str(path.readlink()) == "b"
    assert not list((tmp_path / "a").iterdir())


def test_absent(tmp_path: Path) -> None:
    kinds: list[Callable[[Path], Any]] = [
        lambda path: path.write_text("x"),
        lambda path: path.symlink_to("nowhere"),
        Path.mkdir,
        lambda path: Path(leftover_path(str(path))).write_text("rest"),
    ]
    for kind in kinds:
        path = tmp_path / "gone"
        kind(path)
        assert changed(files.absent, path=str(path))
        assert not list(tmp_path.iterdir())


def test_absent_does_not_delete_what_is_in_a_folder(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    _full_folder(path)
    outcome = apply(files.absent, path=str(path))
    assert outcome.failed
    assert (path / "precious").exists()


def test_absent_does_not_follow_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    (tmp_path / "link").symlink_to("target")
    assert changed(files.absent, path=str(tmp_path / "link"))
    assert (tmp_path / "target").is_dir()


def test_dry_runs_change_nothing(dest: Path, owner: dict[str, Any]) -> None:
    assert apply(files.install, dest=str(dest), text=TEXT, dry=True, diff=True, **owner).predicted
    assert apply(files.directory, path=str(dest), dry=True, **owner).predicted
    assert apply(files.link, path=str(dest), target="x", dry=True).predicted
    assert not list(dest.parent.iterdir())


def test_settle_notices_what_never_settles(tmp_path: Path) -> None:
    """The helper itself: a check that spoils the file again must not pass."""
    dest = tmp_path / "x"
    with pytest.raises(AssertionError):
        settle(files.install, dest=str(dest), text=TEXT, check=f"echo more >> {dest}")
    shutil.rmtree(tmp_path)
