"""The lock that keeps a second run away: who holds it, what is said, and that it ends with its run."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from operations import lock
from tests.unit.converge import apply

MARK = f"ckan-deploy-test-{os.getpid()}"
Holder = subprocess.Popen[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # A marker of its own: other tests of this machine may have commands running.
    script = lock._HOLD.replace("/run/ckan-deploy", str(tmp_path / "run")).replace("-lzx ckan-deploy", f"-lzx {MARK}")
    monkeypatch.setattr(lock, "_HOLD", script)
    return tmp_path / "run"


@pytest.fixture
def hold(folder: Path) -> Iterator[Callable[..., Holder]]:
    started: list[Holder] = []

    def start(who: str = "jo@desk", **environment: str) -> Holder:
        process = subprocess.Popen(
            ["sh", "-c", lock._HOLD, "ckan-deploy", who],
            env={**os.environ, **environment}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def says(holder: Holder) -> str:
    assert holder.stdout
    return holder.stdout.readline().strip()


def test_the_second_is_told_who_the_first_is(hold: Callable[..., Holder], folder: Path) -> None:
    first = hold("jo@desk", SSH_CONNECTION="192.0.2.7 40000 192.0.2.10 22")
    assert says(first) == "held"
    busy, pid, who, since, source = says(hold("al@home")).split()
    assert (busy, who, source) == ("busy", "jo@desk", "192.0.2.7")
    assert int(pid) > 1 and since[:2] == "20"
    assert (folder / "run.lock").stat().st_mode & 0o777 == 0o600
    assert (folder / "run.holder").stat().st_mode & 0o777 == 0o644


def test_it_ends_with_its_connection(hold: Callable[..., Holder], folder: Path) -> None:
    first = hold()
    assert says(first) == "held"
    assert first.stdin
    first.stdin.close()
    first.stdin = None  # else communicate() would flush it
    first.wait(60)
    assert not (folder / "run.holder").exists()
    assert says(hold()) == "held"


def test_it_ends_when_its_holder_is_killed(hold: Callable[..., Holder]) -> None:
    """Also while the process that reads its standard input lives on."""
    first = hold()
    assert says(first) == "held"
    children = Path(f"/proc/{first.pid}/task/{first.pid}/children")
    while not any(Path(f"/proc/{child}/comm").read_text() == "cat\n" for child in children.read_text().split()):
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait(60)
    assert says(hold()) == "held"


def test_a_killed_controller_leaves_no_lock(hold: Callable[..., Holder]) -> None:
    """The holder of a controller on this machine itself sees the end of its standard input."""
    script = "import subprocess, sys, time; p = subprocess.Popen(['sh', '-c', sys.argv[1], 'x', 'jo'], "
    script += "stdin=subprocess.PIPE, start_new_session=True); time.sleep(600)"
    controller = subprocess.Popen(["python3", "-c", script, lock._HOLD], stdout=subprocess.PIPE, text=True)
    assert says(controller) == "held"
    assert says(hold()).startswith("busy")
    controller.kill()
    controller.communicate()
    deadline = time.monotonic() + 60
    while says(hold()) != "held":
        assert time.monotonic() < deadline


def test_what_a_dead_run_left_running_is_waited_for(hold: Callable[..., Holder], tmp_path: Path) -> None:
    end = tmp_path / "end"
    with subprocess.Popen(["sh", "-c", 'while [ ! -e "$1" ]; do sleep 0.1; done', MARK, str(end)]) as left:
        try:
            first = hold()
            assert says(first) == f"waits {left.pid}"
            assert left.poll() is None
        finally:
            end.touch()
        assert says(first) == "held"
        assert left.poll() is not None


def test_refusal() -> None:
    sentence = lock.refusal("portal", "busy 4711 jo@desk 2026-02-03T04:05:06 192.0.2.7")
    assert sentence == (
        "another run is under way on portal, nothing was changed: jo@desk since 2026-02-03 04:05:06 UTC from "
        "192.0.2.7; if it is dead, end it with `sudo kill 4711` on portal and run again"
    )
    assert "does not say whose" in lock.refusal("portal", "busy")
    assert lock.refusal("portal", "").endswith("no answer")
    assert lock.refusal("portal", "sudo: a password is required").endswith("sudo: a password is required")


def test_it_is_no_change_and_a_second_run_fails(hold: Callable[..., Holder]) -> None:
    """``@local``, through pyinfra's API."""
    outcome = apply(lock.hold)
    assert (outcome.predicted, outcome.changed, outcome.failed) == ([], [], False)
    other = hold("al@home")
    assert says(other) == "held", "the lock outlived its run"
    dry = apply(lock.hold, dry=True)
    assert (dry.predicted, dry.failed) == ([], False)
    outcome = apply(lock.hold)
    assert outcome.failed
    assert "another run is under way on @local, nothing was changed: al@home since 20" in outcome.output
