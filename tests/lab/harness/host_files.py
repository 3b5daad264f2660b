"""What stands on a lab host, and where a text stands in it; a search that does not work fails."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable

from lab import inside
from tests.lab.harness.portal_host import NAME

_THERE = """
import glob, json, sys
print(json.dumps(sorted(path for pattern in sys.argv[1:] for path in glob.glob(pattern, recursive=True))))
"""
CONTROL = "/etc/passwd"
_GREP = 'status=0; "$@" || status=$?; echo "status $status" >&2'


def there(*patterns: str, host: str = NAME) -> list[str]:
    """What stands on the host at PATTERNS, as the shell's, `**` included; links that lead nowhere, too."""
    found: list[str] = json.loads(inside.run(host, ["python3", "-c", _THERE, CONTROL, *patterns]).stdout)
    assert CONTROL in found, "nothing is found on this host"
    return [path for path in found if path != CONTROL]


def holding(text: str, places: Iterable[str], *, host: str = NAME) -> set[str]:
    """Files below PLACES, all of which must be there, that hold TEXT, as the host's own grep finds them.

    TEXT goes there on standard input, so that the search itself does not make it seen.
    """
    # -s would hide what could not be read; files that went while they were looked for are no error.
    done = inside.run(host, ["sh", "-c", _GREP, "sh", "grep", "-rlFf", "-", "--", *places], text=text + "\n")
    *said, last = done.stderr.splitlines()
    gone = re.compile(r"grep: (\S+): No such file or directory$")
    errors = [line for line in said if not (found := gone.match(line)) or found[1] in places]
    assert not errors and last in ("status 0", "status 1", "status 2" if said else ""), (errors, last)
    return set(done.stdout.splitlines())


def readable(text: str, places: Iterable[str], *, host: str = NAME) -> set[str]:
    """Files below PLACES that hold TEXT and that anybody can read, folders above them included."""
    # nobody is kept out of much, so that grep's complaints say nothing: that it finds a file of this search does.
    control = f"/var/tmp/control-{os.getpid()}"
    inside.run(host, ["sh", "-ec", 'umask 022; cat > "$1"', "sh", control], text=text + "\n")
    command = ["runuser", "-u", "nobody", "--", "grep", "-rlsFf", "-", "--", *places, control]
    found = set(inside.run(host, command, text=text + "\n", check=False).stdout.splitlines())
    inside.run(host, ["rm", control])
    assert control in found, "the search finds nothing"
    return found - {control}
