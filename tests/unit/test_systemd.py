"""When a process started, told by the clock that files' times are told by."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import facts.systemd
from facts.systemd import AHEAD, PROCESS_START, Unit, UnitState
from tests.unit.converge import shim


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(["sleep", "60"])
    yield started
    started.kill()
    started.wait()


def test_a_busy_host_makes_no_process_older(process: subprocess.Popen[bytes], shims: Path, tmp_path: Path) -> None:
    """The two clocks are read one after the other, and between them the shell may have to wait for the processor."""

    def started() -> float:
        command = ["sh", "-c", f"{PROCESS_START}started {process.pid}"]
        return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)

    before = started()
    calls = tmp_path / "calls"
    shim(shims, "date", f'"$REAL" "$@"; echo >> {calls}; [ "$(wc -l < {calls})" -gt 3 ] || sleep 0.5')
    assert started() == pytest.approx(before, abs=0.1)
    assert len(calls.read_text()) > 3


@pytest.mark.parametrize("pid", ["", "0"])
def test_what_has_no_process_has_no_start(pid: str) -> None:
    """A timer: /proc//stat is the kernel's own, with many lines."""
    command = ["sh", "-c", f"{PROCESS_START}started '{pid}'"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == ""


FUTURE = 1893456000  # 2030-01-01


@pytest.fixture
def unit(shims: Path) -> Callable[..., UnitState]:
    """Ask of a unit whose systemd says what it is told to, on real files."""

    def ask(*reads: Path, pid: int = 0, **says: str) -> UnitState:
        shown = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
        answers = "".join(f"{name}) echo '{value}';;\n" for name, value in {"MainPID": str(pid), **says}.items())
        lines = "; ".join(f"echo {name}={value}" for name, value in shown.items())
        value = f'while [ "$1" != -p ]; do shift; done; case $2 in {answers} ActiveState) echo active;; esac'
        shim(shims, "systemctl", f'case "$*" in *--value*) {value};; *) {lines};; esac')
        command = Unit().command(unit="x.service", reads=[str(path) for path in reads]).get_raw_value()
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        return Unit().process(done.stdout.splitlines())

    return ask


@pytest.mark.skipif(os.geteuid() != 0, reason="writes to /run")
def test_what_a_generator_wrote_is_no_change(unit: Callable[..., UnitState], tmp_path: Path) -> None:
    """Each daemon-reload writes it anew: the unit would be restarted after each."""
    before = time.time()
    folder = Path(f"/run/systemd/generator.test-{os.getpid()}")
    folder.mkdir(parents=True)
    try:
        (folder / "x.conf").touch()
        (tmp_path / "y.conf").touch()
        assert unit(DropInPaths=str(folder / "x.conf"), FragmentPath=str(folder / "x.conf")).newest is None
        newest = unit(DropInPaths=f"{folder}/x.conf {tmp_path}/y.conf").newest
        assert newest is not None and newest > before - 0.1
    finally:
        shutil.rmtree(folder)


def test_a_time_in_the_future_is_no_change_and_named(unit: Callable[..., UnitState], tmp_path: Path) -> None:
    """Nobody can read it before it comes: the unit would be started anew in every run until then."""
    before = time.time()
    (tmp_path / "a file").touch()
    (tmp_path / "b").touch()
    os.utime(tmp_path / "b", (1, 1))
    state = unit(tmp_path)
    assert state.ahead == ()
    assert state.newest is not None and before - 0.1 < state.newest <= time.time()
    os.utime(tmp_path / "a file", (FUTURE, FUTURE))
    state = unit(tmp_path)
    assert state.ahead == (str(tmp_path / "a file"),)
    assert state.newest is not None and before - 0.1 < state.newest <= time.time()  # when it was set still counts


def test_where_all_is_in_the_future_nothing_is_newer(
    unit: Callable[..., UnitState], shims: Path, tmp_path: Path
) -> None:
    """The host's clock was put back."""
    for number in range(9):
        (tmp_path / f"{number}").touch()
    shim(shims, "date", 'case "$*" in +%s.%N) echo 1700000000.000000000;; *) "$REAL" "$@";; esac')
    state = unit(tmp_path)
    assert state.newest is None
    assert len(state.ahead) == AHEAD


def test_a_start_without_a_process_in_the_future_is_of_long_ago(unit: Callable[..., UnitState]) -> None:
    """A timer that was started while the clock was wrong: a change of it would go unnoticed until then."""
    assert unit(InactiveExitTimestamp="2030-01-01 00:00:00 UTC").started == 0
    assert unit(InactiveExitTimestamp="2020-01-01 00:00:00 UTC").started == 1577836800


def test_a_reload_in_the_future_does_not_count(
    unit: Callable[..., UnitState], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stamp = tmp_path / "stamp"
    monkeypatch.setattr(facts.systemd, "reload_stamp", lambda unit: str(stamp))
    assert unit().reloaded is None
    stamp.touch()
    assert unit().reloaded == pytest.approx(time.time(), abs=60)
    os.utime(stamp, (FUTURE, FUTURE))
    assert unit().reloaded is None
