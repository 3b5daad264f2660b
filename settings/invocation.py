"""How the operator calls this checkout's programs: for sentences that give a command to type."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path


def program(name: str) -> str:
    """Return how NAME, ``python`` or ``pyinfra`` of the environment that runs this, is called here.

    Its name alone where the environment is activated, else its path: from the working directory if it is below it.
    """
    folder = Path(sys.executable).parent
    found = shutil.which(name)
    if found and Path(found).parent == folder:
        return name
    path = folder / name
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
