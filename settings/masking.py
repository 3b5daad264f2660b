"""The last line of defence: no known secret passes this process's output, whoever wrote it there.

Our own code masks secrets itself (``settings/secret.py``, ``operations/text.py``). But a program on a host may print
one that it was given: CKAN's migrations showed the database's URL in a traceback. What hosts print, pyinfra prints; so
each text on its way to standard output and standard error is looked through.
"""

from __future__ import annotations

import base64
import codecs
import html
import io
import json
import re
import resource
import sys
from collections.abc import Callable
from functools import cache, partial
from urllib.parse import quote, quote_plus

MASK = "*MASKED*"
# Characters. What is shorter stands in ordinary words; only a person could have set it.
SHORTEST = 6
_known: set[str] = set()


def know(secret: str) -> None:
    """Have SECRET, and its encoded forms, masked from now on."""
    if len(secret) >= SHORTEST:
        _known.add(secret)


def mask(text: str) -> str:
    """Return TEXT with each known secret replaced, also where it is quoted or encoded."""
    return _pattern(frozenset(_known)).sub(MASK, text) if _known else text


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
            if codecs.lookup(stream.encoding).name == "ascii":  # else click writes past it, to a stream of its own
                stream.reconfigure(encoding="utf-8")
            vars(stream)["write"] = partial(_write, stream.write)


def _write(write: Callable[[str], int], text: str) -> int:
    write(mask(text))
    return len(text)


@cache
def _pattern(known: frozenset[str]) -> re.Pattern[str]:
    forms = sorted({form for secret in known for form in _forms(secret)}, key=lambda form: (-len(form), form))
    return re.compile("|".join(map(re.escape, forms)))


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
