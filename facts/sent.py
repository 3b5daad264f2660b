"""How facts have Python run on a host, and pieces of it that several of them send."""

from __future__ import annotations

from pyinfra.api import QuoteString, StringCommand

from facts.stdin import REST

# location(URL, PORT, PATH): where a service is, without the account that its URL may hold; PORT and PATH where the URL
# has none. Raises ValueError.
LOCATION = r"""
import urllib.parse
def location(url, port, path):
    found = urllib.parse.urlsplit(url)
    host = "127.0.0.1" if found.hostname in ("localhost", "::1", None) else found.hostname
    return "%s:%d%s" % (host, found.port or port, path if found.path in ("", "/") else found.path)
"""
# private(PATH): what a note of ours holds; None where nobody but root could not have written it.
PRIVATE = r"""
import os, stat
def private(path):
    try:
        found = os.lstat(path)
        if stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600 and found.st_uid == os.geteuid():
            with open(path) as file:
                return file.read()
    except (OSError, ValueError):
        pass
    return None
"""
_EITHER = r"""
python=$1; shift
[ -x "$python" ] || python=$(command -v python3) || exit 0
exec "$python" -I -c "$@"
"""


def on_host(code: str, *arguments: str, stdin: bool = False) -> StringCommand:
    """Build the command that runs CODE with the distribution's Python; where there is none it prints nothing.

    + stdin: CODE is given something on standard input
    """
    rest = REST if stdin else ()
    return StringCommand("! command -v python3 >/dev/null || python3 -I -c", *_quoted(code, *arguments), *rest)


def in_environment(path: str, code: str, *arguments: str, stdin: bool = False) -> StringCommand:
    """Build the command that runs CODE with the Python of the environment at PATH; without one it prints nothing.

    + stdin: CODE is given something on standard input
    """
    python, rest = QuoteString(f"{path}/bin/python"), REST if stdin else ()
    return StringCommand("! test -x", python, "||", python, "-I -c", *_quoted(code, *arguments), *rest)


def in_environment_or_host(path: str, code: str, *arguments: str) -> StringCommand:
    """Build the command that runs CODE with the Python of the environment at PATH, without one with the host's."""
    return StringCommand(
        "sh -c", QuoteString(_EITHER), "ckan-deploy", *_quoted(f"{path}/bin/python", code, *arguments)
    )  # fmt: skip


def _quoted(*words: str) -> tuple[QuoteString, ...]:
    return tuple(map(QuoteString, words))
