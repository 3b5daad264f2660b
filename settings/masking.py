"""The last line of defence: no known secret passes this process's output, whoever wrote it there.

Our own code masks secrets itself (``settings/secret.py``, ``operations/text.py``). But a program on a host may print
one that it was given: CKAN's migrations showed the database's URL in a traceback. What hosts print, pyinfra prints; so
each text on its way to standard output and standard error is looked through.
"""

from __future__ import annotations

import atexit
import base64
import codecs
import html
import io
import json
import re
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from urllib.parse import quote, quote_plus

from pyinfra.api.hiddenvalue import HiddenValue

MASK: str = HiddenValue().masked_value  # type: ignore[no-untyped-call]  # as pyinfra shows secrets itself
# Characters. What is shorter stands in ordinary words; only a person could have set it.
SHORTEST = 6
# What frames a key says what it is, and is in many texts.
_FRAME = re.compile(r"-----(BEGIN|END) [A-Z0-9 ]+-----")
_known: set[str] = set()


def know(secret: str) -> None:
    """Have SECRET, and its encoded forms, masked from now on; of several lines each one."""
    _known.update(part for part in _parts(secret) if len(part) >= SHORTEST)


def mask(text: str) -> str:
    """Return TEXT with each known secret replaced, also where it is quoted or encoded."""
    there = [form for form in _forms_of(frozenset(_known)) if form in text]
    return re.sub("|".join(map(re.escape, there)), MASK, text) if there else text


def _parts(secret: str) -> Iterator[str]:
    """Yield the lines of SECRET, without frames; a short one with the line before it."""
    before = ""
    for line in secret.split("\n"):
        if not _FRAME.fullmatch(line):
            yield line if len(line) >= SHORTEST or not before else f"{before}\n{line}"
            before = line


def leave_no_core() -> None:
    """Have a crash of this process, or of one that it starts, write no memory to disk: secrets are in it."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def install() -> None:
    """Mask what is written to standard output and standard error from now on, and leave no core; again is no change.

    The streams themselves are changed, since loggers and gevent hold on to the ones that they found.
    """
    leave_no_core()
    for stream in (sys.stdout, sys.stderr):
        # What is no real stream is a test's, which wants to see.
        if isinstance(stream, io.TextIOWrapper) and "write" not in vars(stream):
            ascii_only = codecs.lookup(stream.encoding).name == "ascii"  # past which click writes, to its own stream
            # Whatever a host says can be shown: no character of it ends a run.
            stream.reconfigure(encoding="utf-8" if ascii_only else stream.encoding, errors="backslashreplace")
            masked = _Masked(stream.write)
            vars(stream)["write"] = masked.write
            atexit.register(masked.finish, stream.flush)


class _Masked:
    """Writes what comes in pieces as if it came whole: what may begin a secret waits for what follows.

    A prompt stays whole, unless it ends as a secret begins; then its last characters come with what is written next.
    """

    def __init__(self, write: Callable[[str], int]) -> None:
        self._write = write
        self._waiting = ""

    def write(self, text: str) -> int:
        """Write TEXT, masked, but for an end that may go on as a secret."""
        whole = mask(self._waiting + text)
        end = len(whole) - _begun(whole[whole.rfind("\n") + 1 :])
        self._waiting = whole[end:]
        self._write(whole[:end])
        return len(text)

    def finish(self, flush: Callable[[], None]) -> None:
        """Write what waits: nothing will follow."""
        waiting, self._waiting = self._waiting, ""
        with suppress(OSError, ValueError):  # nobody reads any more
            self._write(waiting)
            flush()


def _begun(line: str) -> int:
    """Return how many characters at the end of LINE are the beginning of a known secret, the most that can be."""
    longest = 0
    for form in _forms_of(frozenset(_known)):
        start = line.find(form[0], max(0, len(line) - len(form) + 1))
        while start != -1 and len(line) - start > longest:
            if form.startswith(line[start:]):
                longest = len(line) - start
                break
            start = line.find(form[0], start + 1)
    return longest


@cache
def _forms_of(known: frozenset[str]) -> list[str]:
    """All forms of KNOWN, longer ones first."""
    return sorted({form for secret in known for form in _forms(secret)}, key=lambda form: (-len(form), form))


def _forms(secret: str) -> set[str]:
    """SECRET as it stands in URLs, ini files, shell, SQL, JSON, Python, HTML, and in base64 of a longer text."""
    raw = secret.encode()
    found = {secret, html.escape(secret), json.dumps(secret)[1:-1], repr(secret)[1:-1], raw.hex()}
    found |= {secret.replace("'", "''"), secret.replace("'", "'\\''"), secret.replace("'", "'\"'\"'")}
    found |= {secret.replace("\\", "\\\\").replace('"', '\\"')}
    found |= {quote(secret), quote(secret, safe=""), quote_plus(secret)}
    found |= {form.replace("%", "%%") for form in set(found)}
    for before in range(3):  # characters of base64 that depend on nothing but the secret
        encoded = base64.b64encode(bytes(before) + raw).decode().rstrip("=")
        inner = encoded[-(-before * 8 // 6) : (before + len(raw)) * 8 // 6]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    return {form for form in found if len(form) >= SHORTEST}
