"""What is taken from the lock in the environment that a package brought."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

from operations import apt, deb


def differing(lock: str) -> str:
    command = [sys.executable, "-c", deb._DIFFERING]
    return subprocess.run(command, input=lock, capture_output=True, text=True, check=True).stdout


def entry(name: str, number: str) -> str:
    return f"{name}=={number} \\\n    --hash=sha256:{'a' * 64} \\\n    --hash=sha256:{'b' * 64}\n"


def test_only_what_is_there_in_another_version_or_not_at_all() -> None:
    same = entry("packaging", version("packaging")) + entry("PyYAML", version("pyyaml"))
    other = entry("jinja2", "0.1") + entry("no-such-package[extra]", "1.0.post1")
    assert differing("# comment\n" + same + other).split() == other.split()
    assert differing("# comment\n\n" + same) == ""


def test_one_line_an_entry() -> None:
    """As the requirements of extensions are written."""
    one, two = f"jinja2=={version('jinja2')} --hash=sha256:{'a' * 64}", f"six==0 --hash=sha256:{'a' * 64}"
    assert differing(f"{one}\n{two}\n") == two + "\n\n"


def torn(status: str) -> bool:
    """Whether apt.packages lets the package go that dpkg shows in STATUS."""
    (case,) = apt._INSTALL.split("\ncase ")[1:]
    arms = case.partition(" in\n")[2].partition("esac")[0].replace('let_go "$ckan"', "echo torn")
    done = subprocess.run(["sh", "-c", f'case "$1" in\n{arms}esac', "sh", status], capture_output=True, text=True)
    return "torn" in done.stdout


def test_which_states_are_torn() -> None:
    assert not any(map(torn, ("", "un ", "pn ", "rc ", "ii ", "hi ")))
    assert all(map(torn, ("iHR", "iH ", "iU ", "iF ", "iiR", "pHR")))
