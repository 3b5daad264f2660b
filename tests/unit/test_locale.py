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
        if shutil.which("localedef") is None or not Path("/usr/share/i18n/locales/de_DE").exists():
            pytest.skip("the package locales is not installed")
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


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen(["sleep", "60"])
    yield started
    started.kill()
    started.wait()


def test_times_of_a_unit(
    language: str, tmp_path: Path, shims: Path, monkeypatch: pytest.MonkeyPatch, process: subprocess.Popen[bytes]
) -> None:
    """Against a real process: a file of just before its start is older, one of just after is newer."""
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
    assert abs(found.started - time.time()) < 60
    assert found.newest == pytest.approx(read.stat().st_mtime, abs=0.001)
    assert found.reloaded == pytest.approx(stamp.stat().st_mtime, abs=0.001)
    # The clock that processes are timed with has hundredths of a second.
    newer = subprocess.Popen(["sleep", "60"])
    try:
        values["MainPID"] = str(newer.pid)
        cases = "".join(f'*"--value -p {key} "*) echo "{value}";; ' for key, value in values.items())
        shim(shims, "systemctl", f"case \"$*\" in {cases} *) printf '{shown}';; esac")
        time.sleep(0.03)
        before = state()
        assert before.started is not None and before.newest is not None and before.newest < before.started + 0.02
        os.utime(read, (1, 1))  # touch -d: its ctime tells nevertheless
        after = state()
        assert after.started is not None and after.newest is not None and after.newest > after.started
        assert after.started == pytest.approx(before.started, abs=0.03)
    finally:
        newer.kill()
        newer.wait()
