"""Secrets, and where they may not be: each way out of a run has a function that finds them there."""

from __future__ import annotations

import base64
import html
import json
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

_SHORTEST = 8  # characters of a form that is worth looking for


def forms(secret: str) -> set[str]:
    """Return SECRET and what it looks like quoted and encoded, as it would stand in another text."""
    raw = secret.encode()
    found = {
        secret,
        quote(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        shlex.quote(secret).strip("'"),
        secret.replace("'", "'\\''"),
        secret.replace("'", "''"),
        secret.replace("%", "%%"),
        quote(secret, safe="").replace("%", "%%"),
        secret.replace("\\", "\\\\").replace('"', '\\"'),
        html.escape(secret),
        raw.hex(),
    }
    for skipped in range(3):  # base64 of a text that has the secret at any place in it
        whole = base64.b64encode(bytes(skipped) + raw).decode().rstrip("=")
        first = (skipped * 8 + 5) // 6
        last = (skipped + len(raw)) * 8 // 6
        found |= {whole[first:last], whole[first:last].replace("+", "-").replace("/", "_")}
    return {form for form in found if len(form) >= _SHORTEST}


@dataclass
class Leaks:
    """Looks for secrets, and keeps what it found: channel, place and the secret's name, never the secret."""

    secrets: Mapping[str, str]
    found: set[tuple[str, str, str]] = field(default_factory=set)
    _parts: dict[str, tuple[bytes, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, value in self.secrets.items():
            # One line of a key is enough to be worth hiding; its first and its last are every key's.
            lines = [line for line in value.splitlines()[1:-1] if len(line) >= _SHORTEST]
            self._parts[name] = tuple({form.encode() for part in (value, *lines) for form in forms(part)})

    def look(self, channel: str, place: str, text: str | bytes) -> None:
        """Look for all secrets in TEXT."""
        data = text.encode(errors="surrogateescape") if isinstance(text, str) else text
        for name, parts in self._parts.items():
            if any(part in data for part in parts):  # ten times as fast as one regular expression
                self.found.add((channel, place, name))

    def look_in_trace(self, channel: str, trace: Path) -> int:
        """Look at the arguments of every program that lab/trace.py recorded; return how many programs there were."""
        programs = [json.loads(line) for line in trace.read_text().splitlines()]
        for words in programs:
            for word in words:
                self.look(channel, " ".join(words[:1]), word)
        return len(programs)

    def look_in_files(self, channel: str, files: Iterable[Path]) -> None:
        """Look into files of this machine."""
        for path in files:
            if path.is_file() and not path.is_symlink():
                self.look(channel, str(path), path.read_bytes())
