"""Plans without hosts: each host of an inventory becomes one of pyinfra's ``@fake`` hosts, bare and of one release."""

from __future__ import annotations

import json
import os
import runpy
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests import made_up
from tests.unit import programs

ROOT = Path(__file__).resolve().parent.parent.parent
PYINFRA = ("pyinfra",)
# What a host says of itself in preflight; to everything else a fake host answers nothing, as a bare one does.
BASICS = {
    "noble": "noble\tUbuntu 24.04.3 LTS\tx86_64\tyes\t8000000\t100000000",
    "bookworm": "bookworm\tDebian GNU/Linux 12 (bookworm)\tx86_64\tyes\t8000000\t100000000",
    "trixie": "trixie\tDebian GNU/Linux 13 (trixie)\tx86_64\tyes\t8000000\t100000000",
}


def fake_inventory(source: Path, folder: Path, release: str = "noble") -> Path:
    """Write the inventory SOURCE, its hosts replaced by fake ones, under its own name into FOLDER."""
    groups: dict[str, list[Any]] = {}
    for name, hosts in runpy.run_path(str(source)).items():
        if isinstance(hosts, list) and not name.startswith("_"):
            groups[name] = [
                (f"@fake/{host}", {**data, "fake_responses": {"/etc/os-release": BASICS[release]}})
                for host, data in hosts
            ]
    target = folder / source.name
    target.write_text("\n".join(f"{name} = {hosts!r}" for name, hosts in groups.items()) + "\n")
    return target


def run(
    inventory: Path, *options: str, program: Sequence[str] = PYINFRA, root: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Plan INVENTORY offline with made-up secrets, in the checkout ROOT.

    + program: a module that takes pyinfra's arguments, and arguments that come first
    """
    environment = {
        **os.environ,
        "PYINFRA_FAKE_DELAY": "0",
        "PYINFRA_FAKE_DELAY_JITTER": "0",
        **made_up.variables(),
    }
    arguments = ["-m", *program, str(inventory), "deploy.py", "--dry", "--json", *options]
    return programs.run(arguments, cwd=root, env=environment)


def plan(inventory: Path, *options: str, root: Path = ROOT) -> dict[str, list[str]]:
    """Names of the operations that would change each host, in order."""
    done = run(inventory, *options, root=root)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = {}
    for operation in json.loads(done.stdout)["plan"]:
        for host in operation["hosts_with_change"]:
            found.setdefault(host.removeprefix("@fake/"), []).append(operation["name"])
    return found


def packages(inventory: Path, notes: Path, *options: str) -> dict[str, set[str]]:
    """Names of the packages that each host would be asked to install; they are noted in the new file NOTES."""
    done = run(inventory, *options, program=("tests.plan.recorder", str(notes)))
    assert done.returncode == 0, done.stderr
    found: dict[str, set[str]] = {}
    for line in notes.read_text().splitlines():
        host, *names = json.loads(line)
        found.setdefault(host.removeprefix("@fake/"), set()).update(names)
    return found
