"""Run the product on lab hosts as an operator does: by pyinfra's command line."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab.harness import deployments

ROOT = Path(__file__).resolve().parents[3]
PYINFRA = [sys.executable, "-m", "pyinfra"]


@dataclass(frozen=True)
class Run:
    """One ended run of pyinfra."""

    status: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def pyinfra(
    *arguments: str,
    inventory: str | None = None,
    environment: Mapping[str, str] | None = None,
    timeout: float = 3600,
    root: Path = ROOT,
) -> Run:
    """Run pyinfra in the checkout, or a copy of it.

    + inventory: by default that of the deployment that the present test is about
    + environment: the whole environment, by default this process's
    """
    command = [*PYINFRA, inventory or deployments.current().inventory, *arguments]
    return _run(command, environment=environment, timeout=timeout, root=root)


def planned(*options: str, inventory: str | None = None) -> Run:
    """Run ``python -m tasks.plan``: the plan as people see it, and a status for programs."""
    return _run([sys.executable, "-m", "tasks.plan", inventory or deployments.current().inventory, *options])


def _run(
    command: list[str], environment: Mapping[str, str] | None = None, timeout: float = 3600, root: Path = ROOT
) -> Run:
    done = subprocess.run(
        command,
        cwd=root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr)


def plan(
    *options: str, inventory: str | None = None, environment: Mapping[str, str] | None = None, root: Path = ROOT
) -> dict[str, list[str]]:
    """What ``--dry`` says would change: names of operations per host, in order."""
    done = pyinfra("deploy.py", "--dry", "--json", *options, inventory=inventory, environment=environment, root=root)
    assert done.status == 0, done.output
    return _per_host(json.loads(done.stdout)["plan"], ("hosts_with_change", "hosts_with_conditional_change"))


def apply(
    *options: str, inventory: str | None = None, environment: Mapping[str, str] | None = None, root: Path = ROOT
) -> dict[str, list[str]]:
    """Run the deploy; what was changed: names of operations per host, in order."""
    done = pyinfra("deploy.py", "-y", "--json", *options, inventory=inventory, environment=environment, root=root)
    assert done.status == 0, done.output
    return _per_host(json.loads(done.stdout)["results"]["operations"], ("success", "error"))


def plan_and_apply(
    *options: str, inventory: str | None = None, environment: Mapping[str, str] | None = None, root: Path = ROOT
) -> dict[str, list[str]]:
    """Apply, and assert that the plan named exactly what changed."""
    planned = plan(*options, inventory=inventory, environment=environment, root=root)
    changed = apply(*options, inventory=inventory, environment=environment, root=root)
    assert planned == changed, _compare(planned, changed)
    return changed


def _per_host(operations: list[dict[str, Any]], fields: tuple[str, ...]) -> dict[str, list[str]]:
    assert operations, "pyinfra knows of no operation: nothing was looked at"
    found: dict[str, list[str]] = {}
    for operation in operations:
        for field in fields:
            for host in operation[field]:
                found.setdefault(host, []).append(operation["name"])
    return found


def _compare(planned: Mapping[str, list[str]], changed: Mapping[str, list[str]]) -> str:
    lines = ["the plan is not what the run changed:"]
    for host in sorted(planned.keys() | changed.keys()):
        mine, theirs = planned.get(host, []), changed.get(host, [])
        lines += [f"{host}: planned, not changed: {name}" for name in mine if name not in theirs]
        lines += [f"{host}: changed, not planned: {name}" for name in theirs if name not in mine]
    return "\n".join(lines)
