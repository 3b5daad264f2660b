"""Manage files, folders and links: whole, atomic, and with their final owner and mode from the first moment."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from hashlib import sha256
from io import StringIO
from typing import Any

from pyinfra import host, logger, state
from pyinfra.api import OperationValueError, QuoteString, StringCommand, operation
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS

from facts.files import FileState, Managed, ManagedState, leftover_path
from facts.stdin import REST
from operations import announce, foresight
from operations.kept import KEEP
from operations.text import Text
from operations.within import ENTER

# For the shell scripts that rename a file into place: a folder there ($1) is moved aside, to a name beside that of the
# successor ($2), unless it is empty.
ASIDE = r"""
aside() {
  if [ -d "$1" ] && [ ! -L "$1" ]; then rmdir "$1" 2>/dev/null || mv -T "$1" "$2.aside.$(date +%s)"; fi
}
"""

# Why something large could not be written, when that is why. A disk that is all but full is as good as full.
ROOM = r"""
say_if_full() { # say_if_full FOLDER
  left=$(df -k --output=avail -- "$1" | tail -n 1)
  [ "$left" -ge 51200 ] || echo "the disk of $1 is full, $((left / 1024)) MB are left: make room and run again" >&2
}
"""

# The successor is built beside the target in a folder of root's alone, under a fixed name (so that a killed run's
# leftover is found again), and renamed over it: a reader sees the old file or the new one, and nobody can put anything
# in the way (operations/within.py). A folder that stands in the way is moved aside, never deleted with what is in it.
# What a kill left at "$new.old" is the file from before a check that never ended: it is put back, and the check is made
# again.
_INSTALL = (
    ASIDE
    + ENTER
    + KEEP
    + r"""
set -e; umask 077
dest=$1; name=${1##*/}; new=${2##*/}; owner=$3; mode=$4; check=$5
enter "${dest%/*}"; stage "$new"
cat > file
chown "$owner" file; chmod "$mode" file; sync file
aside "../$name" "../$new"
if [ -e "../$new.old" ] || [ -L "../$new.old" ]; then mv -fT "../$new.old" "../$name"; fi
keep "$dest"
if [ -n "$check" ] && { [ -e "../$name" ] || [ -L "../$name" ]; }; then ln -PT "../$name" "../$new.old"; fi
written "$dest" file; mv -fT file "../$name"
cd -P ..; rm -rf "./$new"
if [ -n "$check" ] && ! sh -c "$check" >&2; then
  if [ -e "./$new.old" ] || [ -L "./$new.old" ]; then written "$dest" "./$new.old"; mv -fT "./$new.old" "./$name"
  else forgotten "$dest"; rm -f "./$name"; fi
  echo "$dest was refused by '$check'; the file that was there before is back" >&2; exit 1
fi
rm -f "./$new.old"
"""
)

_LINK = (
    ASIDE
    + ENTER
    + KEEP
    + r"""
set -e; name=${1##*/}; new=${3##*/}
enter "${1%/*}"; stage "$new"
aside "../$name" "../$new"
ln -s -- "$2" link; keep "$1"; written "$1" link; mv -fT link "../$name"
cd -P ..; rm -rf "./$new" "./$new.old"
"""
)
_ABSENT = (
    ENTER
    + KEEP
    + r"""
set -e; name=${1##*/}; new=${2##*/}
[ -d "${1%/*}/" ] || exit 0
enter "${1%/*}"
rm -rf "./$new" "./$new.old"
if [ -d "./$name" ] && [ ! -L "./$name" ]; then rmdir "./$name"; else keep "$1"; rm -f "./$name"; forgotten "$1"; fi
"""
)
_DIRECTORY = (
    ENTER
    + r"""
set -e; umask 022; name=${1##*/}
enter "${1%/*}" make
if { [ -e "./$name" ] || [ -L "./$name" ]; } && { [ ! -d "./$name" ] || [ -L "./$name" ]; }; then
  mv -T "./$name" "./${4##*/}.aside.$(date +%s)"
fi
[ -d "./$name" ] || mkdir -m 0700 "./$name"
into "$name"; chown "$2" .; chmod "$3" .
"""
)
_READ = ENTER + 'set -e; enter "${1%/*}"; exec dd iflag=nofollow status=none if="./${1##*/}"'


def script(body: str, *arguments: object, stdin: str | None = None) -> StringCommand:
    """Return a command that runs the shell script BODY with ARGUMENTS as ``$1`` …, and STDIN, which never shows."""
    command = ("sh -c", QuoteString(body), "ckan-deploy", *(QuoteString(str(a)) for a in arguments))
    return StringCommand(*command) if stdin is None else StringCommand(*command, *REST, _stdin=StringIO(stdin))


@operation()
def install(
    dest: str,
    text: Text | str,
    owner: str = "root",
    group: str = "root",
    mode: int = 0o644,
    check: str | None = None,
) -> Generator[StringCommand, None, None]:
    """Install a whole file in one atomic step.

    + dest: absolute path; its folder must exist when the operation runs
    + text: the file's whole text, ending in a newline (standard input would gain one)
    + owner, group, mode: as the file has them from its first moment
    + check: command that must succeed once the file is in place (``nginx -t``); when it fails the old file is
      put back and the operation fails with the command's output

    With ``--diff`` the difference is shown, secrets masked. Raises ``OperationValueError`` for a text without
    a newline at its end.
    """
    text = text if isinstance(text, Text) else Text.plain(text)
    if not text.secret.endswith("\n"):
        raise OperationValueError(f"the text of {dest} must end in a newline")
    managed = managed_as(dest, owner, group)
    wanted = FileState("regular file", mode, owner, group, sha256(text.secret.encode()).hexdigest(), None)
    if managed.state == wanted and not managed.leftover:
        host.noop(f"{dest} is as wanted")
        return
    foresight.will_touch(dest)
    if state.config.DIFF:
        _show_diff(dest, managed.state, wanted, text)
    yield script(_INSTALL, dest, leftover_path(dest), f"{owner}:{group}", f"{mode:o}", check or "", stdin=text.secret)


@operation()
def directory(
    path: str, owner: str = "root", group: str = "root", mode: int = 0o755
) -> Generator[StringCommand, None, None]:
    """Make a folder with this owner and mode.

    + path: absolute path; missing parents are made, owned by root, 0755
    + owner, group, mode: of the folder itself; what is in it is left alone

    A file or link in its place is moved aside.
    """
    managed = managed_as(path, owner, group)
    if managed.state == FileState("directory", mode, owner, group, None, None):
        host.noop(f"{path} is as wanted")
        return
    foresight.will_touch(path)
    yield script(_DIRECTORY, path, f"{owner}:{group}", f"{mode:o}", leftover_path(path))


@operation()
def link(path: str, target: str) -> Generator[StringCommand, None, None]:
    """Make a symbolic link.

    + path: absolute path of the link; a file in its place is replaced, a folder moved aside
    + target: what it points to, written as it is
    """
    managed = host.get_fact(Managed, path=path)
    current = managed.state
    if current is not None and current.target == target and not managed.leftover:
        host.noop(f"{path} points to {target}")
        return
    foresight.will_touch(path)
    announce.target(current.target if current else None, target)
    yield script(_LINK, path, target, leftover_path(path))


@operation()
def absent(path: str, package: str = "", brought_with: str = "") -> Generator[StringCommand, None, None]:
    """Remove a file, a link or a folder that is empty.

    + path: absolute path; a folder with something in it is an error when the operation runs, nothing is lost
    + package: name of the package that brings the file, where one does: then the plan knows that there will be
      something to remove once an earlier operation has installed it for the first time
    + brought_with: path of a file that only an earlier run of ours can have written: without it PATH is somebody
      else's, and stays
    """
    if brought_with and host.get_fact(Managed, path=brought_with).state is None:
        host.noop(f"{path} is not ours")
        return
    managed = host.get_fact(Managed, path=path)
    if managed.state is None and not managed.leftover and not (package and foresight.set_up(package)):
        host.noop(f"{path} is not there")
        return
    foresight.will_touch(path)
    yield script(_ABSENT, path, leftover_path(path))


def managed_as(path: str, owner: str, group: str) -> ManagedState:
    """Return what stands at PATH; its owner and group as they will be once accounts have been made."""
    found = host.get_fact(Managed, path=path)
    if found.state is None:
        return found
    state = found.state
    owner, group = foresight.owner(state.owner, owner), foresight.owner(state.group, group)
    return replace(found, state=replace(state, owner=owner, group=group))


def _show_diff(dest: str, current: FileState | None, wanted: FileState, text: Text) -> None:
    """Print what will change, masked. The old text is read without a fact: at -vvv pyinfra prints what facts read."""
    host.log(f"Will {'create' if current is None else 'modify'} {dest}")
    old: list[str] = []
    if current is not None and current.kind == "regular file":
        arguments: dict[str, Any] = dict(host.current_op_global_arguments or {})
        connector = {key: value for key, value in arguments.items() if key in CONNECTOR_ARGUMENT_KEYS}
        _, output = host.run_shell_command(script(_READ, dest), **connector)
        old = output.stdout_lines
    for line in text.diff(old):
        logger.info("    %s", line)
    for what in ("kind", "mode", "owner", "group"):
        before, after = getattr(current, what, None), getattr(wanted, what)
        if current is not None and before != after:
            shown = (f"{before:o}", f"{after:o}") if what == "mode" else (before, after)
            logger.info("    %s: %s -> %s", what, *shown)
