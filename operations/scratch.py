"""Keep folders of temporary files, and remove them when they are no longer wanted."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra import host
from pyinfra.api import StringCommand, operation

from facts.files import FileState
from facts.scratch import Recorded
from operations import foresight
from operations.files import ASIDE, managed_as, script
from operations.within import ENTER

# The record is written before folders are made and after former ones are removed, so that a killed run loses none.
_FOLDERS = (
    ASIDE
    + ENTER
    + r"""
set -e; umask 022
note() { sed '/^$/d' | sort -u > "$record.new"; aside "$record" "$record.new"; mv -fT "$record.new" "$record"; }
record=$1; owner=$2; group=$3; shift 3
mkdir -p "$(dirname "$record")"
former=$(cat "$record" 2>/dev/null || :)
{ printf '%s\n' "$former"; for path; do printf '%s\n' "$path"; done; } | note
printf '%s\n' "$former" | while IFS= read -r path; do
  keep=; for wanted; do [ "$path" != "$wanted" ] || keep=yes; done
  [ -n "$keep" ] || [ ! -d "${path%/*}/" ] || case $path in
    /?*) (enter "${path%/*}"; rm -rf --one-file-system -- "./${path##*/}");;
  esac
done
for path; do (
  enter "${path%/*}" make; name=${path##*/}
  if [ -L "./$name" ] || { [ -e "./$name" ] && [ ! -d "./$name" ]; }; then rm -f "./$name"; fi
  [ -d "./$name" ] || mkdir -m 0700 "./$name"
  into "$name"; chown "$owner:$group" .; chmod 0755 .
) || exit; done
if [ $# = 0 ]; then rm -f "$record"; rmdir "$(dirname "$record")" 2>/dev/null || :; exit; fi
for path; do printf '%s\n' "$path"; done | note
"""
)


@operation()
def folders(paths: Sequence[str], owner: str, group: str, record: str) -> Generator[StringCommand, None, None]:
    """Have these folders of temporary files, and no longer those that an earlier call made elsewhere.

    + paths: absolute; they are 0755. A folder that is no longer among them is removed with what is in it
    + owner, group: of the folders
    + record: path of the file in which they are noted, in a folder of its own; both go with the last of them
    """
    recorded = host.get_fact(Recorded, record=record)
    wanted = FileState("directory", 0o755, owner, group, None, None)
    if recorded == tuple(sorted(set(paths))) and all(managed_as(p, owner, group).state == wanted for p in paths):
        host.noop("the folders are as wanted" if paths else "there are none")
        return
    foresight.will_touch(record, *paths)
    yield script(_FOLDERS, record, owner, group, *paths)
