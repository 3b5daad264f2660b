"""The programs that DCOR's users have: the real DCOR-Aid and dclab, in an environment of their own in the lab's cache.

They are no requirements of the checkout's own environment, whose versions they would decide.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from lab import paths, system

LOCK = Path(__file__).with_name("dcoraid.txt")


def python() -> Path:
    """Path of a Python that has what ``dcoraid.txt`` locks; made when it is asked for the first time."""
    key = hashlib.sha256(f"{sys.version}\n{LOCK.read_text()}".encode()).hexdigest()[:12]
    folder = paths.cache() / f"dcoraid-{key}"
    whole = folder / "whole"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with system.locked(paths.cache() / "locks" / "dcoraid"):
        if not whole.exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            pip = [str(folder / "bin/python"), "-m", "pip", "-q", "--disable-pip-version-check", "install"]
            subprocess.run([*pip, "--require-hashes", "--no-deps", "-r", str(LOCK)], check=True)
            whole.touch()
    return folder / "bin/python"


def run(code: str, *arguments: str, text: str = "", timeout: float = 600) -> str:
    """Run Python CODE with DCOR-Aid's environment; ARGUMENTS are ``sys.argv[1:]``, TEXT is standard input."""
    done = subprocess.run(
        [str(python()), "-I", "-c", code, *arguments],
        input=text,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
