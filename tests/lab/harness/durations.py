"""How long the lab's tests take, as measured: `durations.tsv`, by which the shard of the guarantees is cut.

``script/test guarantees -- --record-durations`` measures anew. What a test waits for before it begins is noted for its
group when it takes long, as ``setup GROUP``: whichever test is the first of the group waits for it.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[1] / "durations.tsv"
LONG = 30  # seconds of a setup that are the group's
_HEAD = "# Seconds of each test, measured by script/test … -- --record-durations; see harness/durations.py\n"
_SEED = re.compile(r"seed \d+")


def read() -> dict[str, float]:
    """Seconds by test, and by ``setup GROUP``."""
    lines = [line.split("\t") for line in TABLE.read_text().splitlines() if not line.startswith("#")]
    return {test: float(seconds) for test, seconds in lines}


def name(nodeid: str) -> str:
    """The name of a test in the table: file and test, without what is drawn anew each time, and without its group."""
    path, _, test = nodeid.partition("::")
    return _SEED.sub("seed", f"{Path(path).name}::{test.rpartition('@')[0] or test}")


class Recorder:
    """Notes what each test takes, and writes it into the table at the end."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one phase of one test."""
        test = name(report.nodeid)
        if report.when == "setup" and report.duration > LONG:
            group = report.nodeid.rpartition("@")[2] if "@" in report.nodeid else Path(report.nodeid).stem
            test = f"setup {group}"
        self.seconds[test] = self.seconds.get(test, 0.0) + report.duration

    def pytest_sessionfinish(self) -> None:
        """Write the table."""
        found = {**read(), **{test: round(seconds, 1) for test, seconds in self.seconds.items()}}
        rows = "".join(f"{test}\t{found[test]}\n" for test in sorted(found))
        TABLE.write_text(_HEAD + rows)
