"""The operator's SSH configuration, where paramiko would read it otherwise than ssh does."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from glob import glob
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko.config

# What paramiko evaluates; it takes all others to match, always.
_ALONE = {"all", "canonical", "final"}
_WITH_VALUE = {"exec", "host", "localuser", "originalhost", "user"}
_LINE = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+)(.+?)\s*$")


def install() -> None:
    """Have ``Match exec`` run its command in a shell, as ssh does; pyinfra takes it for the name of a script."""
    module: Any = paramiko.config
    module.invoke = SimpleNamespace(run=_run)


def _run(command: str, **_: Any) -> SimpleNamespace:
    done = subprocess.run(command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    return SimpleNamespace(ok=done.returncode == 0)


def problems(file: str = "") -> list[str]:
    """Say which lines of FILE, by default the user's own configuration, cannot be followed.

    Raises nothing: what cannot be read at all is said when a host is connected to.
    """
    path = Path(file or "~/.ssh/config").expanduser()
    return [
        f"{place}: `Match {value}`: {', '.join(wrong)} would be taken to match always, so that a wrong host may be "
        f"reached; write the line with host, user or exec instead, or name a file without it "
        f'(ssh_config_file = "…" in group_data)'
        for place, value in _matches(path, set())
        if (wrong := _unknown(value))
    ]


def _unknown(value: str) -> list[str]:
    """Return the criteria in a ``Match`` line's VALUE that paramiko does not know."""
    try:
        words = shlex.split(value)
    except ValueError:
        return []
    found = []
    while words:
        word = words.pop(0).lower().removeprefix("!")
        if word in _ALONE:
            continue
        if word not in _WITH_VALUE:
            found.append(word)
        words = words[1:]
    return found


def _matches(path: Path, seen: set[Path]) -> Iterator[tuple[str, str]]:
    """Yield each ``Match`` line below PATH with its place; files are included as pyinfra does."""
    if path in seen or not path.is_file():
        return
    seen.add(path)
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        found = _LINE.match(line)
        if not found:
            continue
        key, value = found[1].lower(), found[2]
        if key == "match":
            yield f"{path}:{number}", value
        elif key == "include":
            pattern = Path(value).expanduser()
            for name in sorted(glob(str(pattern if pattern.is_absolute() else path.parent / pattern))):  # noqa: PTH207
                yield from _matches(Path(name), seen)
