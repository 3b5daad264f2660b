"""Run a command where folders of this machine show what a test put there, and nobody else sees that."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Mapping
from pathlib import Path

FOLDERS = ("etc", "usr", "var")


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Put FILES, text by absolute path, below FOLDER; those in a folder ``bin`` may be run."""
    for path, text in files.items():
        file = folder / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        if file.parent.name == "bin":
            file.chmod(0o755)


def run(folder: Path, command: str, text: str = "") -> str:
    """Return what COMMAND prints, given TEXT, with what is below FOLDER laid over this machine's own folders.

    Needs root: it has a mount namespace of its own.
    """
    mounts = []
    for name in FOLDERS:
        upper, work = folder / name, folder / f".work-{name}"
        for path in (upper, work):
            path.mkdir(parents=True, exist_ok=True)
        options = f"lowerdir=/{name},upperdir={upper},workdir={work}"
        mounts.append(f"mount -t overlay -o {shlex.quote(options)} overlay /{name}")
    whole = " && ".join((*mounts, command))
    argv = ["unshare", "--mount", "sh", "-c", whole]
    return subprocess.run(argv, input=text, capture_output=True, text=True, check=True).stdout
