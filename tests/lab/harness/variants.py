"""Variants of the lab's portal: with other settings, and from a checkout whose lock is that of an older CKAN."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from settings.inventory_checks import GROUPS
from tests.lab.harness import deploy, deployments

OLDER = Path(__file__).with_name("ckan-2.11.5.txt")


def inventory(data: Mapping[str, Any], folder: Path, of: Mapping[str, Mapping[str, Any]] | None = None) -> str:
    """Path of an inventory like the lab's, with DATA for all hosts; its name makes the group data the lab's, too.

    + of: more data, by the group whose host it is for
    """
    each = {group: {**data, **(of or {}).get(group, {})} for group in GROUPS}
    groups = [f'{group} = [(n, {{**d, **_data["{group}"]}}) for n, d in _lab["{group}"]]' for group in GROUPS]
    lines = [
        "import runpy",
        f'_lab = runpy.run_path("{deployments.current().inventory}")',
        f"_data = {each!r}",
        *groups,
    ]
    target = folder / "lab.py"
    target.write_text("\n".join(lines) + "\n")
    return str(target)


def older_checkout(folder: Path) -> Path:
    """Copy the checkout into FOLDER, with the lock of an older CKAN."""
    root = folder / "older"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "tests")
    shutil.copytree(deploy.ROOT, root, ignore=ignored)
    pins = {re.split(r"==", line)[0]: line for line in OLDER.read_text().splitlines() if "==" in line}
    for lock in (root / "locks").glob("ckan-py*.txt"):
        lock.write_text(with_pins(lock.read_text(), pins))
    schema = root / "locks/ckan-schema.json"
    version = pins["ckan"].split()[0].partition("==")[2]
    schema.write_text(json.dumps({**json.loads(schema.read_text()), "requirement": pins["ckan"], "version": version}))
    return root


def with_pins(lock: str, pins: Mapping[str, str]) -> str:
    """Return the text of LOCK with other versions of some packages, all of which it must hold."""
    for name, line in pins.items():
        pattern = rf"^{re.escape(name)}(\[[^]]*\])?==[^\n]*\n(    --hash=[^\n]*\n)*"
        lock, count = re.subn(pattern, line + "\n", lock, flags=re.MULTILINE)
        assert count == 1, f"{name} stands {count} times in the lock"
    return lock
