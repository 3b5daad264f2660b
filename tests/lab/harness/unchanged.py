"""Whether the tests of the lab itself would find anything new: they are run when what they test has changed.

What they use is hashed: their files, the lab's, and the versions of the machine's tools. The hash of a run in which all
of them passed is kept in the cache, with its commit; an empty cache runs them.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from lab import paths

# Of this run: the lab's own tests that were wanted, passed and failed.
COUNTS = {"wanted": 0, "passed": 0, "failed": 0}
ROOT = Path(__file__).resolve().parents[3]
USED = ("lab", "tests/lab/itself", "tests/conftest.py", "requirements.txt")
TOOLS = ("systemd-container", "mmdebstrap", "nftables", "iproute2", "openssh-client", "default-jdk-headless", "maven")


def since() -> str:
    """The commit at which all of them passed with what they use now; empty when they have to be run."""
    try:
        return _note().read_text().strip()
    except FileNotFoundError:
        return ""


def passed() -> None:
    """Note that all of them have passed with what they use now."""
    commit = _output("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD") or "a checkout without git"
    _note().parent.mkdir(parents=True, exist_ok=True)
    _note().write_text(f"{commit}\n")


def _note() -> Path:
    return paths.cache() / "tests" / f"lab-itself-{_key()}"


def _key() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in _files():
        content = path.read_bytes()
        digest.update(f"{path.relative_to(ROOT)}\0{len(content)}\0".encode() + content)
    digest.update(_output("dpkg-query", "-W", *TOOLS).encode())
    return digest.hexdigest()[:16]


def _files() -> Iterator[Path]:
    for used in USED:
        path = ROOT / used
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        yield from (file for file in files if file.is_file() and "__pycache__" not in file.parts)


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
