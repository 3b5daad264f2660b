"""When a process started, told by the clock that files' times are told by."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from facts.systemd import PROCESS_START
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
