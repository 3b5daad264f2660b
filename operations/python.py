"""Build Python environments from lock files with hashes."""

from __future__ import annotations

import re
from collections.abc import Generator

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pyinfra import host
from pyinfra.api import OperationValueError, StringCommand, operation

from facts.files import FileState, leftover_path
from facts.python import Environment
from operations import foresight
from operations.files import ASIDE, managed_as, script

# What builds packages that have no wheel, with what that needs itself.
_TOOLS = ("packaging", "pip", "setuptools", "setuptools-scm", "typing-extensions", "wheel")

# Build tools come first, from the same lock, and nothing is built in isolation: an isolated build would fetch
# setuptools without a hash. The environment is built where it will run (its scripts name their interpreter) and
# the path is switched to it in one rename, so that a kill leaves the old environment or the new one. A builder
# whose controller died lives on: it is waited for, and what it built is taken if it was this very lock.
_BUILD = r"""
set -e; umask 022
path=$1
mkdir -p "$(dirname "$path")" /run/ckan-deploy
exec 9> "/run/ckan-deploy/$(basename "$path").lock"
if ! flock -n 9; then
  flock -w 3600 9
  if [ "$(sha256sum < "$path/ckan-deploy.lock")" = "$(sha256sum)" ]; then exit 0; fi
  echo "another run built $path from another lock; run again" >&2; exit 1
fi
case "$(readlink "$path")" in *.a) dest=$path.b;; *) dest=$path.a;; esac
rm -rf "$dest"; python3 -m venv "$dest"
cat > "$dest/ckan-deploy.lock"
awk -v tools="$2" '/^[A-Za-z0-9]/ { tool = ($0 ~ tools) } tool' "$dest/ckan-deploy.lock" > "$dest/tools.lock"
pip() { "$dest/bin/python" -m pip --no-input --disable-pip-version-check -q "$@" 9>&-; }
[ ! -s "$dest/tools.lock" ] || pip install --require-hashes --no-deps -r "$dest/tools.lock"
pip install --require-hashes --no-deps --no-build-isolation -r "$dest/ckan-deploy.lock"
rm -f "$dest/tools.lock"
if [ -d "$path" ] && [ ! -L "$path" ]; then mv "$path" "$path.aside.$(date +%s)"; fi
ln -sfn "$(basename "$dest")" "$path.new"; mv -fT "$path.new" "$path"
"""

_MEMBER = (
    ASIDE
    + r"""
set -e
path=$1; dest=$2; new=$3; sha256=$4; owner=$5; mode=$6
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cat > "$work/lock"
python3 -m venv "$work/pip"
"$work/pip/bin/python" -m pip --no-input --disable-pip-version-check -q download --require-hashes --no-deps \
  --only-binary :all: -r "$work/lock" -d "$work/wheel"
python3 -m zipfile -e "$work"/wheel/*.whl "$work/content"
printf '%s  %s\n' "$sha256" "$work/content/$path" | sha256sum --check --quiet
rm -f "$new"; cp "$work/content/$path" "$new"
chown "$owner" "$new"; chmod "$mode" "$new"; sync "$new"
aside "$dest" "$new"; mv -fT "$new" "$dest"
"""
)


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


@operation()
def environment(path: str, lock: str, extra: bool = False) -> Generator[StringCommand, None, None]:
    """Keep a virtual environment that holds exactly what a lock says.

    + path: of the environment; it becomes a symbolic link to ``path.a`` or ``path.b``, in which it is built
    + lock: text of a complete lock file: ``name==version --hash=sha256:…`` for every package, tools included
    + extra: tolerate packages that the lock does not name

    Names and versions are compared, as is the Python version with the system's; any difference builds it anew
    beside the old one. Raises ``OperationValueError`` for a lock that is not complete.
    """
    wanted = locked_versions(lock)
    current = host.get_fact(Environment, path=path)
    found = {name: version for name, version in current.packages.items() if not extra or name in wanted}
    if found == wanted and current.slot is not None and current.python == current.system_python:
        host.noop(f"{path} holds what its lock says")
        return
    foresight.will_touch(path)
    yield script(_BUILD, path, rf"^({'|'.join(_TOOLS)})==", stdin=lock)


@operation()
def former_absent(path: str) -> Generator[StringCommand, None, None]:
    """Remove the slot of an environment that is no longer in use, once its processes run from the new one.

    + path: of the environment, as given to ``environment``
    """
    current = host.get_fact(Environment, path=path)
    used = current.slot
    if foresight.touched(path):
        used = "b" if current.slot == "a" else "a"
    if set(current.slots) - {used}:
        yield script(
            'for slot in a b; do [ "$(readlink "$1")" = "$(basename "$1").$slot" ] || rm -rf "$1.$slot"; done', path
        )
    else:
        host.noop("there is no former environment")


@operation()
def member(
    requirement: str, path: str, dest: str, sha256: str, owner: str = "root", group: str = "root", mode: int = 0o644
) -> Generator[StringCommand, None, None]:
    """Install one file out of a package's wheel, without installing the package.

    + requirement: the package's line of a lock file: ``name==version --hash=sha256:…``
    + path: of the file within the wheel
    + dest: absolute path on the host
    + sha256: of the file, compared with what is there and checked before it is put there
    + owner, group, mode: of ``dest``
    """
    managed = managed_as(dest, owner, group)
    if managed.state == FileState("regular file", mode, owner, group, sha256, None) and not managed.leftover:
        host.noop(f"{dest} is as wanted")
        return
    foresight.will_touch(dest)
    yield script(_MEMBER, path, dest, leftover_path(dest), sha256, f"{owner}:{group}", f"{mode:o}", stdin=requirement)
