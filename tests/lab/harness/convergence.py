"""Whether a host has become what it should be: as the product says, as it runs, and as an uninterrupted run left it."""

from __future__ import annotations

import json
import time
from pathlib import Path

from lab import inside
from tests.lab.harness import deploy, faults, oracle
from tests.lab.harness.portal_host import NAME


def differing() -> list[str]:
    """Each way in which what runs on the host is not what its files say."""
    script = Path(__file__).with_name("agreement_host.py").read_text()
    problems: list[str] = json.loads(inside.run(NAME, ["python3", "-"], text=script).stdout)
    return problems


def converges(expected: oracle.State, *options: str, after: str = "sigkill") -> None:
    """One more run, and the host is as if nothing had happened."""
    began = time.monotonic()
    run = faults.begin(*options, after=after)
    assert run.end() == 0, run.tail()
    print(f"    the next run converged in {time.monotonic() - began:.0f} s", flush=True)
    assert differing() == []
    assert deploy.plan(*options) == {}
    found = oracle.difference(expected, oracle.essence(oracle.snapshot(NAME)))
    assert found == [], "\n".join(found)
