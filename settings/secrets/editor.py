"""All secrets of an environment in the operator's editor, in a file that no disk and no other user sees.

The file is in memory (tmpfs), in a folder of the operator's own, where editors put their backups, too. Both go away
with this program, however it ends: a helper process waits for that.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from gevent.monkey import get_original

from settings.secret import Secret
from settings.secrets.errors import SecretsError
from settings.secrets.sealed import Place

_HEAD = """\
# Secrets of {environment}: NAME = VALUE, one a line; after a line [HOST] those that only this host has.
# A value of several lines stands below NAME =, each line after four blanks.
# A secret that you take away is taken out of the store.
"""
_INDENT = "    "
_LINE = re.compile(r"([a-z][a-z0-9_]*) = ?(.*)")
# The system's own: with pyinfra loaded os.waitpid is gevent's, which misses children that it did not start.
_waitpid = get_original("os", "waitpid")


def text_of(environment: str, values: Mapping[Place, Secret]) -> Secret:
    """Return VALUES as the text to edit."""
    lines, host = [_HEAD.format(environment=environment)], ""
    for place in sorted(values, key=lambda place: (place.host, place.name)):
        if place.host != host:
            host = place.host
            lines.append(f"\n[{host}]\n")
        value = values[place].unmask()
        if "\n" in value:
            lines.append(f"{place.name} =\n")
            lines += [f"{_INDENT}{line}\n" if line else "\n" for line in value.split("\n")]
        else:
            lines.append(f"{place.name} = {value}\n")
    return Secret("".join(lines))


def parse(text: Secret, wrong: Callable[[Place, Secret], str]) -> dict[Place, Secret]:
    """Return the secrets in an edited TEXT. Raises ``SecretsError`` that names the line, and shows nothing of it.

    + wrong: says what is wrong with a value; "" when nothing is
    """
    found: dict[Place, Secret] = {}
    host = ""
    lines = deque(enumerate(map(Secret, text.unmask().split("\n")), 1))
    while lines:
        number, line = lines.popleft()
        if not line.unmask().strip() or line.unmask().startswith("#"):
            continue
        if line.unmask().startswith("["):
            host = line.unmask().strip()[1:-1]
            continue
        if not (match := _LINE.fullmatch(line.unmask())):
            raise SecretsError(f"line {number} is not NAME = VALUE")
        place, value = Place(match[1], host), Secret(match[2])
        del match
        if not value.unmask():
            value = _below(lines)
        if problem := wrong(place, value):
            raise SecretsError(f"line {number}: the value of {place} cannot be used: {problem}")
        if place in found:
            raise SecretsError(f"line {number}: {place} stands there twice")
        found[place] = value
    return found


def _below(lines: deque[tuple[int, Secret]]) -> Secret:
    """Take from LINES the value that begins them, each line after an indent; empty ones within it belong to it."""
    count = 0
    for index, (_, line) in enumerate(lines, 1):
        if line.unmask().startswith(_INDENT):
            count = index
        elif line.unmask().strip():
            break
    taken = [lines.popleft()[1].unmask().removeprefix(_INDENT) for _ in range(count)]
    return Secret("\n".join(taken))


@contextmanager
def private_file(text: Secret) -> Iterator[Path]:
    """Have TEXT in a file of the operator's own, in memory, for as long as this program lives and no longer."""
    folder = Path(tempfile.mkdtemp(prefix="ckan-deploy-", dir=_memory()))  # 0700
    # The writing end closes with this program, even a killed one. Files, since gevent's os.close only does so later.
    reading, writing = (os.fdopen(end, mode) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True))
    cleaner = os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", 'cat >/dev/null; rm -rf -- "$1"', "sh", str(folder)],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, reading.fileno(), 0)],
        setsid=True,  # the terminal's signals are not for it
    )
    reading.close()
    try:
        path = folder / "secrets.conf"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text.unmask())
        yield path
    finally:
        writing.close()
        _waitpid(cleaner, 0)


def run(path: Path) -> Secret:
    """Have the operator edit the file PATH; return its text. Raises ``SecretsError`` when the editor fails."""
    given = os.environ.get("VISUAL", "").strip() or os.environ.get("EDITOR", "").strip() or "vi"
    try:
        command = shlex.split(given)
    except ValueError as error:
        raise SecretsError(f"VISUAL or EDITOR is no command that can be run, {given}: {error}; correct it") from None
    # An interrupt is the editor's; it must not end this program beside it.
    before = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        editor = os.posix_spawnp(command[0], [*command, str(path)], os.environ)
        if status := os.waitstatus_to_exitcode(_waitpid(editor, 0)[1]):
            raise SecretsError(f"the editor {command[0]} ended with status {status}")
        return Secret(path.read_text())
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", "it left no text")
        raise SecretsError(f"the editor {command[0]} failed: {reason}") from None
    finally:
        signal.signal(signal.SIGINT, before)


def _memory() -> str:
    for folder in (os.environ.get("XDG_RUNTIME_DIR", ""), "/dev/shm"):
        if folder and os.access(folder, os.W_OK | os.X_OK) and _is_in_memory(folder):
            return folder
    raise SecretsError("there is no folder in memory (XDG_RUNTIME_DIR, /dev/shm) to edit in; use `set` instead")


def _is_in_memory(folder: str) -> bool:
    """Whether FOLDER is on a file system that no disk has: XDG_RUNTIME_DIR may be anywhere."""
    device = os.stat(folder).st_dev  # noqa: PTH116
    number = f"{os.major(device)}:{os.minor(device)}"
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, source = line.partition(" - ")
        if mount.split()[2] == number:
            return source.split()[0] in ("tmpfs", "ramfs")
    return False
