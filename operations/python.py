"""Build Python environments from lock files with hashes."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping
from hashlib import sha256
from types import MappingProxyType

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pyinfra import host
from pyinfra.api import OperationValueError, StringCommand, operation

from facts.python import Environment
from operations import announce, foresight
from operations.files import ROOM, script

# What builds packages that have no wheel, with what that needs itself.
_TOOLS = ("packaging", "pip", "setuptools", "setuptools-scm", "typing-extensions", "wheel")

# The environment is built where it will run (its scripts name their interpreter) and the path is switched to it in one
# rename, so that a kill leaves the old environment or the new one. A builder whose controller died lives on: it is
# waited for, and what it built is taken if it was this very lock, and of the same package where there is one ($from).
# What could not be built leaves nothing: it may have filled the disk of a portal that goes on.
BEGIN = (
    ROOM
    + r"""
set -e; umask 022
mkdir -p "$(dirname "$path")" /run/ckan-deploy
exec 9> "/run/ckan-deploy/$(basename "$path").lock"
if ! flock -n 9; then
  flock -w 3600 9
  if [ "$(sha256sum < "$path/ckan-deploy.lock")" = "$(sha256sum)" ] \
    && [ "$(cat "$path/ckan-deploy.deb" 2>/dev/null)" = "$from" ] \
    && [ "$(cat "$path/ckan-deploy.finish" 2>/dev/null)" = "$finish" ]; then exit 0; fi
  echo "another run built $path from another lock; run again" >&2; exit 1
fi
case "$(readlink "$path")" in *.a) dest=$path.b;; *) dest=$path.a;; esac
rm -rf "$dest"
given_up() {
  [ "$1" != 0 ] && [ "$(readlink "$path")" != "$(basename "$dest")" ] || return 0
  say_if_full "$(dirname "$path")"; rm -rf "$dest"
}
trap 'given_up $?' EXIT
"""
)
END = r"""
if [ -d "$path" ] && [ ! -L "$path" ]; then mv "$path" "$path.aside.$(date +%s)"; fi
ln -sfn "$(basename "$dest")" "$path.new"; mv -fT "$path.new" "$path"
"""
# Build tools come first, from the same lock, and nothing is built in isolation: an isolated build would fetch
# setuptools without a hash.
INSTALL = r"""
install_lock() { # install_lock ENVIRONMENT FILE TOOLS: what FILE names; TOOLS is an awk pattern
  pip() { "$environment/bin/python" -m pip --no-input --disable-pip-version-check -q "$@" 9>&-; }
  environment=$1
  awk -v tools="$3" '/^[A-Za-z0-9]/ { tool = ($0 ~ tools) } tool' "$2" > "$environment/tools.lock"
  [ ! -s "$environment/tools.lock" ] || pip install --require-hashes --no-deps -r "$environment/tools.lock"
  [ ! -s "$2" ] || pip install --require-hashes --no-deps --no-build-isolation -r "$2"
  rm -f "$environment/tools.lock"
}
"""
# What describes a package is read when it is installed, so it is noted as it was then.
_EDITABLE = r"""
install_editable() { # install_editable ENVIRONMENT FOLDER…
  environment=$1; shift
  [ $# -gt 0 ] || return 0
  : > "$environment/ckan-deploy.editable"
  for folder; do
    for file in pyproject.toml setup.py setup.cfg; do
      [ ! -f "$folder/$file" ] || sha256sum "$folder/$file" >> "$environment/ckan-deploy.editable"
    done
    set -- "$@" -e "$folder"; shift
  done
  pip install --no-deps --no-build-isolation "$@"
}
"""
# What the program wrote is noted, so that it is missed; bytecode is Python's own business.
FINISH = r"""
finish_environment() { # finish_environment ENVIRONMENT PROGRAM
  [ -n "$2" ] || return 0
  printf '%s\n' "$2" > "$1/ckan-deploy.finish"
  (
    cd "$1"; PATH=$1/bin:$PATH bin/python -I -B ckan-deploy.finish >/dev/null 9>&-
    find lib -type f -newer ckan-deploy.finish ! -name '*.pyc' -exec sha256sum {} + > ckan-deploy.finished
    [ -s ckan-deploy.finished ] || { echo "the last step of building $1 changed no file in it" >&2; exit 1; }
  )
}
"""
TOOLS = rf"^({'|'.join(_TOOLS)})=="

_BUILD = (
    INSTALL
    + _EDITABLE
    + FINISH
    + "path=$1; finish=$3; from="
    + BEGIN
    + r"""
python3 -m venv "$dest"
cat > "$dest/ckan-deploy.lock"
install_lock "$dest" "$dest/ckan-deploy.lock" "$2"
shift 3; install_editable "$dest" "$@"
finish_environment "$dest" "$finish"
"""
    + END
)

# What somebody or a timer started before the switch has libraries of the slot in use. It gets a while to end.
_FORMER_ABSENT = r"""
using() { grep -lsF " $1/" /proc/[0-9]*/maps | sed 's|^/proc/||; s|/maps$||'; }
wait_for() { # wait_for SLOT SECONDS
  end=$(($(date +%s) + $2))
  while [ -n "$(using "$1")" ] && [ "$(date +%s)" -lt "$end" ]; do sleep 0.5; done
}
for slot in a b deb; do
  [ "$(readlink "$1")" != "$(basename "$1").$slot" ] && [ -e "$1.$slot" ] || continue
  wait_for "$1.$slot" "$2"
  left=$(using "$1.$slot")
  if [ -n "$left" ]; then kill $left 2>/dev/null || :; wait_for "$1.$slot" 10; fi
  rm -rf "$1.$slot"
done
"""


def locked_versions(lock: str) -> dict[str, str]:
    """Return the names (normalised) and versions that the text of a lock file pins.

    Raises ``OperationValueError`` for a line that is not ``name==version`` with at least one hash.
    """
    versions: dict[str, str] = {}
    for line in re.sub(r"\\\n", " ", lock).splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        specification, _, hashes = line.partition(" --hash=")
        wrong = OperationValueError(f"not pinned to one version with a hash: {specification.strip()!r}")
        try:
            requirement = Requirement(specification.strip())
        except InvalidRequirement:
            raise wrong from None
        pins = list(requirement.specifier)
        if len(pins) != 1 or pins[0].operator != "==" or not hashes:
            raise wrong
        if requirement.marker is None or requirement.marker.evaluate():
            versions[canonicalize_name(requirement.name)] = pins[0].version
    return versions


def digest_of(finish: str) -> str:
    """Return what the fact says of an environment that the program FINISH ended; "" for none."""
    return sha256(f"{finish.rstrip(chr(10))}\n".encode()).hexdigest() if finish else ""


@operation()
def environment(
    path: str,
    lock: str,
    extra: bool = False,
    editable: Mapping[str, str] = MappingProxyType({}),
    finish: str = "",
) -> Generator[StringCommand, None, None]:
    """Keep a virtual environment that holds exactly what a lock says.

    + path: of the environment; it becomes a symbolic link to ``path.a`` or ``path.b``, in which it is built
    + lock: text of a complete lock file: ``name==version --hash=sha256:…`` for every package, tools included
    + extra: tolerate packages that the lock does not name
    + editable: packages that are installed from folders, which need nothing beyond the lock: absolute path of each by
      its name; what is changed in a folder is in force at once, or, where it describes the package, at the next run
    + finish: text of a Python program that the environment itself runs once it holds its packages: it adds files to
      them, or changes some

    Names and versions are compared, as is the Python version with the system's, and what ``finish`` wrote; any
    difference builds it anew beside the old one. Raises ``OperationValueError`` for a lock that is not complete.
    """
    wanted = locked_versions(lock)
    current = host.get_fact(Environment, path=path)
    found = {name: version for name, version in current.packages.items() if not extra or name in wanted}
    built = current.slot is not None and not current.archive and current.python == current.system_python
    folders = {str(canonicalize_name(name)): folder for name, folder in editable.items()}
    linked = current.editable == folders and not current.outdated and not foresight.touched(*folders.values())
    finished = current.finished == digest_of(finish)
    if built and linked and finished and found == wanted:
        host.noop(f"{path} holds what its lock says")
        return
    foresight.will_touch(path)
    announce.versions(found, wanted, first="ckan")
    yield script(_BUILD, path, TOOLS, finish.rstrip("\n"), *editable.values(), stdin=lock)


@operation()
def former_absent(path: str, seconds: int = 60) -> Generator[StringCommand, None, None]:
    """Remove the slot of an environment that is no longer in use, once its services run from the new one.

    + path: of the environment, as given to ``environment``
    + seconds: time for other programs that still run from it (a scheduled job, somebody's command); then they are ended
    """
    current = host.get_fact(Environment, path=path)
    used = current.slot
    if foresight.replaced(path):  # a file in it does not build another slot
        used = "b" if current.slot == "a" else "a"
    if set(current.slots) - {used}:
        yield script(_FORMER_ABSENT, path, str(seconds))
    else:
        host.noop("there is no former environment")
