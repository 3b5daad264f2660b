"""Hosts that speak another language: what commands print is parsed all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from facts import systemd
from facts.systemd import Unit, UnitState
from operations import files
from tests.unit.converge import changed, shim


@pytest.fixture(params=["C.UTF-8", "de_DE.UTF-8"])
def language(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Speak English or German: there a number has a comma, and a file is a »reguläre Datei«."""
    if request.param != "C.UTF-8":
        there = shutil.which("localedef") and Path("/usr/share/i18n/locales/de_DE").exists()
        assert there, "the package locales is missing: apt-get install locales (script/test does)"
        (tmp_path / "locales").mkdir()
        made = tmp_path / "locales/de_DE.UTF-8"
        subprocess.run(["localedef", "-i", "de_DE", "-f", "UTF-8", made], check=True, capture_output=True)
        monkeypatch.setenv("LOCPATH", str(made.parent))
    monkeypatch.setenv("LC_ALL", request.param)
    return str(request.param)


def test_files_settle(language: str, tmp_path: Path, owner: dict[str, Any]) -> None:
    assert changed(files.directory, path=str(tmp_path / "d"), **owner)
    assert changed(files.install, dest=str(tmp_path / "d/f"), text="a\n", **owner)
    assert changed(files.link, path=str(tmp_path / "d/l"), target="f")


HUNDREDTH = os.sysconf("SC_CLK_TCK")
# The kernel tells starts and its own age in hundredths of a second: what the fact says may be off by three of them.
PRECISION = 0.04
APART = 0.25  # seconds between what is to be older and what is to be newer


def start_of(pid: int) -> float:
    """When a process started, seconds since the epoch, independently of the fact."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[19])
    while True:
        before = time.clock_gettime(time.CLOCK_BOOTTIME)
        now = time.time()
        if time.clock_gettime(time.CLOCK_BOOTTIME) - before < 0.005:
            return now - before + ticks / HUNDREDTH


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(["sleep", "60"])
    yield started
    started.kill()
    started.wait()


def test_times_of_a_unit(
    language: str, tmp_path: Path, shims: Path, monkeypatch: pytest.MonkeyPatch, process: subprocess.Popen[bytes]
) -> None:
    """Against a real process: a file of before its start is older, one of after it is newer."""
    unit_file, stamp, read = (tmp_path / name for name in ("x.service", "stamp", "read"))
    for path in (unit_file, stamp, read):
        path.write_text("")
    monkeypatch.setattr(systemd, "reload_stamp", lambda unit: str(stamp))
    values = {"LoadState": "loaded", "ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
    values |= {"MainPID": str(process.pid), "FragmentPath": str(unit_file), "DropInPaths": ""}
    shown = "".join(f"{key}={value}\n" for key, value in values.items())
    cases = "".join(f'*"--value -p {key} "*) echo "{value}";; ' for key, value in values.items())
    shim(shims, "systemctl", f"case \"$*\" in {cases} *) printf '{shown}';; esac")

    def state() -> UnitState:
        fact: Any = Unit()
        command = fact.command("x.service", (str(read),)).get_raw_value()
        result = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        found: UnitState = fact.process(result.stdout.splitlines())
        return found

    found = state()
    assert (found.load, found.active, found.enabled, found.pid) == ("loaded", "active", "enabled", process.pid)
    assert found.started is not None and found.newest is not None and found.reloaded is not None
    assert found.newest == pytest.approx(read.stat().st_mtime, abs=0.001)
    assert found.reloaded == pytest.approx(stamp.stat().st_mtime, abs=0.001)
    assert found.started == pytest.approx(start_of(process.pid), abs=PRECISION)
    time.sleep(APART)
    newer = subprocess.Popen(["sleep", "60"])
    try:
        values["MainPID"] = str(newer.pid)
        cases = "".join(f'*"--value -p {key} "*) echo "{value}";; ' for key, value in values.items())
        shim(shims, "systemctl", f"case \"$*\" in {cases} *) printf '{shown}';; esac")
        assert start_of(newer.pid) - read.stat().st_ctime > APART / 2
        before = state()
        assert before.started is not None and before.newest is not None and before.newest < before.started
        assert before.started == pytest.approx(start_of(newer.pid), abs=PRECISION)
        time.sleep(APART)
        os.utime(read, (1, 1))  # touch -d: its ctime tells nevertheless
        assert read.stat().st_ctime - start_of(newer.pid) > APART / 2
        after = state()
        assert after.started is not None and after.newest is not None and after.newest > after.started
        assert after.newest == pytest.approx(read.stat().st_ctime, abs=0.001)
        assert after.started == pytest.approx(before.started, abs=2 * PRECISION)
    finally:
        newer.kill()
        newer.wait()
