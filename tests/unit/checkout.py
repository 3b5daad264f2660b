"""A folder like a checkout of the product, with an inventory and group data of its own; and programs run in it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from tests import made_up
from tests.unit import programs

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = Path(__file__).resolve().parent / "data"
DEPLOY = "from pyinfra import host\nfrom settings.resolve import of_inventory\nof_inventory(host.inventory)\n"


def checkout(folder: Path, data: Path | None = None) -> Path:
    """Make FOLDER a checkout whose inventory/ and group_data/ are those of DATA, or empty."""
    for name in ("inventory", "group_data"):
        if data:
            shutil.copytree(data / name, folder / name)
        else:
            (folder / name).mkdir(parents=True)
    for name in ("facts", "locks", "operations", "pyinfra_adapter", "settings"):
        (folder / name).symlink_to(ROOT / name)
    shutil.copy(ROOT / "config.py", folder)
    (folder / "deploy.py").write_text(DEPLOY)
    return folder


def run(folder: Path, module: str, *arguments: str, secrets: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a Python MODULE in FOLDER; with SECRETS there is one of each."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if secrets:
        environment |= made_up.variables()
    return programs.run(["-m", module, *arguments], cwd=folder, env=environment)
