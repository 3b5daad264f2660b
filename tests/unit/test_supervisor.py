"""What counts as news for programs of supervisor, asked of real files."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from facts.supervisor import Programs, ProgramsState
from operations.supervisor_control import ABSENT
from tests.unit.converge import shim


def newest(*reads: Path) -> float:
    state = ask(*reads)
    assert state.newest is not None
    return state.newest


def ask(*reads: Path) -> ProgramsState:
    command = Programs().command(programs=["no-such-program"], reads=[str(path) for path in reads])
    done = subprocess.run(["sh", "-c", command.get_raw_value()], capture_output=True, text=True, check=True)
    state = Programs().process(done.stdout.splitlines())
    assert state.configured == {"no-such-program": None}
    return state


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A package with byte code, a folder without, a log and git's own files, all seen through a link."""
    real = tmp_path / "default.a"
    for file in ("package/a.py", "package/__pycache__/a.pyc", "data/x.txt", "log/job.log", ".git/index"):
        (real / file).parent.mkdir(parents=True, exist_ok=True)
        (real / file).touch()
    link = tmp_path / "default"
    link.symlink_to("default.a")
    return link


def _byte_code_again(code: Path) -> None:
    """Folders of byte code, made where there was none, change the time of the folder that they are in."""
    (code / "package/__pycache__/a.pyc").unlink()
    (code / "package/__pycache__").rmdir()
    (code / "package/__pycache__").mkdir()


def _other_slot(code: Path) -> None:
    code.unlink()
    code.symlink_to("default.a")


NO_NEWS: dict[str, Callable[[Path], object]] = {
    "byte code": lambda code: (code / "package/__pycache__/b.pyc").touch(),
    "byte code again": _byte_code_again,
    "a log": lambda code: (code / "log/job.log").write_text("x"),
    "a folder's mode": lambda code: (code / "data").chmod(0o700),
    "git": lambda code: (code / ".git/index").write_text("x"),
}
NEWS: dict[str, Callable[[Path], object]] = {
    "code": lambda code: (code / "package/a.py").write_text("x"),
    "new code": lambda code: (code / "package/b.py").touch(),
    "an old time": lambda code: os.utime(code / "package/a.py", (1, 1)),
    "new data": lambda code: (code / "data/y.txt").touch(),
    "data is gone": lambda code: (code / "data/x.txt").unlink(),
    "the link": _other_slot,
}


@pytest.mark.parametrize("change", NO_NEWS)
def test_what_comes_by_itself_is_no_news(change: str, code: Path) -> None:
    before = newest(code)
    NO_NEWS[change](code)
    assert newest(code) == before


@pytest.mark.parametrize("change", NEWS)
def test_a_change_is_news(change: str, code: Path) -> None:
    before = newest(code)
    NEWS[change](code)
    assert newest(code) > before


FUTURE = 1893456000  # 2030-01-01
LATER: dict[str, Callable[[Path], Path]] = {
    "code": lambda code: code / "package/a.py",
    "a folder": lambda code: code / "data",
    "what is read itself": lambda code: code,
}


@pytest.mark.parametrize("what", LATER)
def test_a_time_in_the_future_is_no_change_and_named(what: str, code: Path) -> None:
    """CKAN would be started anew in every run until then."""
    assert ask(code).ahead == ()
    path = LATER[what](code)
    os.utime(path, (FUTURE, FUTURE), follow_symlinks=False)
    state = ask(code)
    assert state.ahead == (str(path),)
    assert state.newest is not None and state.newest <= time.time()


def test_byte_code_and_logs_may_have_any_time(code: Path) -> None:
    for name in ("package/__pycache__/a.pyc", "log/job.log", ".git/index"):
        os.utime(code / name, (FUTURE, FUTURE))
    assert ask(code).ahead == ()


def test_what_a_killed_run_left_of_a_program_is_removed(tmp_path: Path, shims: Path) -> None:
    """Also the folder in which it built the file; never what a link there leads to."""
    shim(shims, "systemctl", "exit 3")
    file, rest, elsewhere = tmp_path / "job.conf", tmp_path / ".job.conf.ckan-deploy", tmp_path / "elsewhere"
    file.write_text("[program:job]\n")
    rest.mkdir()
    (rest / "file").write_text("half")
    elsewhere.mkdir()
    (rest / "link").symlink_to(elsewhere)
    command = [sys.executable, "-I", "-c", ABSENT, "job", str(file), str(rest)]
    subprocess.run(command, env={"PATH": os.environ["PATH"]}, check=True)
    assert [path.name for path in tmp_path.iterdir() if path != shims] == ["elsewhere"]
