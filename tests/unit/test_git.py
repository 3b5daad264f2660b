"""Checkouts: real ones, of repositories on this machine."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from facts.git import Checkouts
from operations import git
from tests.unit.converge import Outcome, apply, changed

DATE = "2026-01-01T00:00:00+0000"


class Repository:
    """A repository with a commit for each tag, of which another is a copy of a file; its branch is ``main``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self("init", "-q", "-b", "main")

    def __call__(self, *arguments: str) -> str:
        done = subprocess.run(["git", "-C", self.path, *arguments], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def release(self, tag: str) -> str:
        (self.path / "code.py").write_text(f"version = {tag!r}\n")
        return self.commit(f"Release {tag}", tag)

    def commit(self, message: str, tag: str = "") -> str:
        self("add", "-A")
        self("commit", "-q", "--allow-empty", "-m", message)
        if tag:
            self("tag", tag)
        return self("rev-parse", "HEAD")


@pytest.fixture(autouse=True)
def _own_git(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No git configuration of this machine, and somebody who commits."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A Developer")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "developer@example.org")
        monkeypatch.setenv(f"GIT_{who}_DATE", DATE)


@pytest.fixture
def origin(tmp_path: Path) -> Repository:
    origin = Repository(tmp_path / "origin")
    origin.release("1.0.0")
    origin.release("1.1.0")
    return origin


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    return tmp_path / "repos/code"


def checkout(origin: Repository, dest: Path, ref: str) -> bool:
    return changed(git.checkout, repository=str(origin.path), dest=str(dest), ref=ref)


def refused(origin: Repository, dest: Path, ref: str, says: str) -> None:
    """The operation stops before the run, with this sentence."""
    with pytest.raises(Exception, match=says):
        apply(git.checkout, repository=str(origin.path), dest=str(dest), ref=ref)


def code(dest: Path) -> str:
    return (dest / "code.py").read_text().split("'")[1]


def at(dest: Path) -> Repository:
    repository = object.__new__(Repository)
    repository.path = dest
    return repository


@pytest.mark.parametrize("ref", ["1.0.0", "main", "commit"])
def test_a_clone_is_at_what_is_asked_for(ref: str, origin: Repository, dest: Path) -> None:
    ref = origin("rev-parse", "1.0.0") if ref == "commit" else ref
    assert checkout(origin, dest, ref)
    assert code(dest) == ("1.1.0" if ref == "main" else "1.0.0")
    assert [path.name for path in dest.parent.iterdir()] == ["code"]
    assert at(dest)("config", "--get", "remote.origin.url") == str(origin.path)


def test_from_one_ref_to_another(origin: Repository, dest: Path) -> None:
    for ref in ("1.0.0", "1.1.0", "main", "1.0.0", "main"):
        assert checkout(origin, dest, ref)
        assert code(dest) == ("1.0.0" if ref == "1.0.0" else "1.1.0")


def test_a_ref_that_is_not_known_yet_is_fetched(origin: Repository, dest: Path) -> None:
    checkout(origin, dest, "1.0.0")
    origin.release("1.2.0")
    assert checkout(origin, dest, "1.2.0")
    assert code(dest) == "1.2.0"


def test_a_branch_that_has_grown_is_followed_by_an_update_only(origin: Repository, dest: Path) -> None:
    checkout(origin, dest, "main")
    newest = origin.release("1.2.0")
    assert not checkout(origin, dest, "main")
    assert code(dest) == "1.1.0"
    outcome = apply(git.checkout, repository=str(origin.path), dest=str(dest), ref="main", update=True)
    assert outcome.changed == outcome.predicted != []
    assert code(dest) == "1.2.0"
    assert at(dest)("rev-parse", "HEAD") == newest
    assert not checkout(origin, dest, "main")


def test_an_update_leaves_a_tag_and_work_at_it_alone(origin: Repository, dest: Path) -> None:
    checkout(origin, dest, "1.0.0")
    (dest / "code.py").write_text("my = 'work'\n")
    outcome = apply(git.checkout, repository=str(origin.path), dest=str(dest), ref="1.0.0", update=True)
    assert not outcome.changed
    assert not outcome.failed
    assert code(dest) == "work"
    checkout_of_a_branch = dest.with_name("branch")
    checkout(origin, checkout_of_a_branch, "main")
    (checkout_of_a_branch / "code.py").write_text("my = 'work'\n")
    with pytest.raises(Exception, match="not committed"):
        apply(git.checkout, repository=str(origin.path), dest=str(checkout_of_a_branch), ref="main", update=True)


def test_work_in_one_checkout_stops_all_before_the_first_moves(origin: Repository, dest: Path) -> None:
    second = dest.with_name("second")
    for path in (dest, second):
        checkout(origin, path, "1.0.0")
    (second / "code.py").write_text("my = 'work'\n")
    wanted = {str(dest): "1.1.0", str(second): "1.0.0"}
    assert not apply(git.nothing_in_the_way, wanted=wanted).changed  # the second stays where it is
    with pytest.raises(Exception, match=r"repos/second on @local has changes .* it was to move to 1\.1\.0"):
        apply(git.nothing_in_the_way, wanted={**wanted, str(second): "1.1.0"})


def test_another_address_is_noted(origin: Repository, dest: Path, tmp_path: Path) -> None:
    checkout(origin, dest, "1.0.0")
    origin.path.rename(tmp_path / "moved")
    origin.path = tmp_path / "moved"
    assert checkout(origin, dest, "1.0.0")
    assert checkout(origin, dest, "1.1.0")


def test_an_unknown_ref_changes_nothing(origin: Repository, dest: Path) -> None:
    outcome = apply(git.checkout, repository=str(origin.path), dest=str(dest), ref="9.9.9")
    assert outcome.failed
    assert f"{origin.path} has no tag, branch or commit 9.9.9" in outcome.output
    assert not dest.exists()
    checkout(origin, dest, "1.0.0")
    assert apply(git.checkout, repository=str(origin.path), dest=str(dest), ref="9.9.9").failed
    assert code(dest) == "1.0.0"
    assert not checkout(origin, dest, "1.0.0")


def test_changes_stay_and_stop_a_move(origin: Repository, dest: Path) -> None:
    checkout(origin, dest, "1.0.0")
    (dest / "code.py").write_text("my = 'work'\n")
    assert not checkout(origin, dest, "1.0.0")  # at what is asked for: nothing to do
    refused(origin, dest, "1.1.0", r"repos/code on @local has changes that are not committed \(code.py\); commit")
    assert code(dest) == "work"


def test_commits_that_no_remote_has_stop_a_move(origin: Repository, dest: Path) -> None:
    checkout(origin, dest, "main")
    (dest / "code.py").write_text("my = 'work'\n")
    mine = at(dest).commit("Mine")
    assert not checkout(origin, dest, "main")  # its branch may be ahead
    refused(origin, dest, "1.1.0", "has 1 commit that no remote has; push")
    assert at(dest)("rev-parse", "HEAD") == mine
    at(dest)("push", "-q", "origin", "main:feature")
    assert checkout(origin, dest, "1.1.0")


def test_a_new_file_survives_a_move(origin: Repository, dest: Path) -> None:
    checkout(origin, dest, "1.0.0")
    (dest / "notes.txt").write_text("mine\n")
    assert checkout(origin, dest, "1.1.0")
    assert (dest / "notes.txt").read_text() == "mine\n"


def test_a_new_file_that_would_be_overwritten_stops_a_move(origin: Repository, dest: Path) -> None:
    checkout(origin, dest, "1.0.0")
    (dest / "notes.txt").write_text("mine\n")
    (origin.path / "notes.txt").write_text("theirs\n")
    origin.release("1.2.0")
    outcome = apply(git.checkout, repository=str(origin.path), dest=str(dest), ref="1.2.0")
    assert outcome.failed
    assert "notes.txt" in outcome.output
    assert ((dest / "notes.txt").read_text(), code(dest)) == ("mine\n", "1.0.0")
    (dest / "code.py").write_text("my = 'work'\n")  # no run was cut off, so this is somebody's
    refused(origin, dest, "1.2.0", "not committed")


def test_a_local_branch_that_went_another_way_is_left_alone(origin: Repository, dest: Path) -> None:
    checkout(origin, dest, "main")
    (dest / "mine.txt").touch()
    mine = at(dest).commit("Mine")
    at(dest)("checkout", "-q", "1.0.0")
    origin.release("1.2.0")
    outcome = apply(git.checkout, repository=str(origin.path), dest=str(dest), ref="main")
    assert outcome.failed
    assert at(dest)("rev-parse", "main") == mine


@pytest.mark.parametrize("work", [False, True])
def test_a_move_that_was_cut_off_is_finished(work: bool, origin: Repository, dest: Path) -> None:
    checkout(origin, dest, "1.0.0")
    at(dest)("config", "ckan-deploy.moving", "1.1.0")
    (dest / ".git/index.lock").touch()
    (dest / "code.py").write_text("half")
    if work:
        (dest / "notes.txt").write_text("mine\n")
    assert checkout(origin, dest, "1.1.0")
    assert code(dest) == "1.1.0"
    assert (dest / "notes.txt").exists() == work
    assert "ckan-deploy: of a run that was cut off" in at(dest)("stash", "list")  # nothing is lost


def test_a_clone_that_was_cut_off_is_made_anew(origin: Repository, dest: Path) -> None:
    Path(f"{dest}.part/.git").mkdir(parents=True)
    assert checkout(origin, dest, "1.0.0")
    assert [path.name for path in dest.parent.iterdir()] == ["code"]


def test_another_folder_in_its_place_is_left_alone(origin: Repository, dest: Path) -> None:
    dest.mkdir(parents=True)
    (dest / "precious").touch()
    refused(origin, dest, "1.0.0", "is no git checkout, or git is missing there; move it away")
    assert (dest / "precious").exists()


def test_reading_writes_nothing(origin: Repository, dest: Path) -> None:
    checkout(origin, dest, "1.0.0")
    (dest / "code.py").touch()  # git status would write the new time into the index
    before = (dest / ".git/index").stat().st_mtime_ns
    assert not checkout(origin, dest, "1.0.0")
    assert (dest / ".git/index").stat().st_mtime_ns == before


def test_generated_files_are_ignored(origin: Repository, dest: Path) -> None:
    arguments = {"repository": str(origin.path), "dest": str(dest), "ref": "1.0.0", "ignored": ["made/*.css"]}
    assert changed(git.checkout, **arguments)
    (dest / "made").mkdir()
    (dest / "made/x.css").touch()
    assert at(dest)("status", "--porcelain") == ""


class TestAbsent:
    @pytest.fixture
    def folder(self, origin: Repository, dest: Path) -> Path:
        checkout(origin, dest, "main")
        return dest.parent

    def absent(self, folder: Path) -> Outcome:
        return apply(git.absent, folder=str(folder), names=["code", "other"])

    def test_checkouts_are_removed_with_their_folder(self, folder: Path) -> None:
        assert changed(git.absent, folder=str(folder), names=["code", "other"])
        assert not folder.exists()

    def test_other_things_stay(self, folder: Path) -> None:
        (folder / "mine").touch()
        assert changed(git.absent, folder=str(folder), names=["code", "other"])
        assert [path.name for path in folder.iterdir()] == ["mine"]

    @pytest.mark.parametrize("work", ["file", "change", "commit", "branch", "stash", "folder"])
    def test_work_stays(self, work: str, folder: Path) -> None:
        mine = at(folder / "code")
        if work == "folder":
            (folder / "other").mkdir()
            (folder / "other/precious").touch()
        elif work == "file":
            (folder / "code/notes.txt").touch()
        else:
            (folder / "code/code.py").write_text("my = 'work'\n")
        if work == "stash":
            mine("stash")
        if work in ("commit", "branch"):
            mine("checkout", "-q", "-b", "feature")
            mine.commit("Mine")
        if work == "branch":
            mine("checkout", "-q", "main")
        with pytest.raises(Exception, match=r"it was to be removed, and was left as it is"):
            self.absent(folder)
        assert (folder / "code/.git").is_dir()


def test_what_git_does_not_say_is_an_error() -> None:
    with pytest.raises(Exception, match="fatal: no"):
        Checkouts().process(["fatal: no"])
