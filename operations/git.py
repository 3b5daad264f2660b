"""Keep git checkouts at what is asked for, and never lose what somebody did in them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from pyinfra import host
from pyinfra.api import OperationError, StringCommand, operation

from facts.git import Checkouts, CheckoutState
from operations import foresight
from operations.files import script

# Tags and commits are checked out as they are, a branch as the local one that follows it, which is only ever wound
# forward. While files are being replaced `ckan-deploy.moving` stands in the configuration: what a killed run left half
# done is not somebody's work. Should there be work in it all the same, it is kept as a stash.
_MOVE = r"""
resolve() {
  for name in "refs/tags/$1" "refs/remotes/origin/$1" "$1"; do
    if git rev-parse -q --verify "$name^{commit}" >/dev/null; then echo "$name"; return; fi
  done
  echo "$2 has no tag, branch or commit $1" >&2; return 1
}
switch() {
  case $1 in
    refs/remotes/*)
      if git show-ref -q --verify "refs/heads/$2"; then git checkout -q "$2" && git merge -q --ff-only "$1"
      else git checkout -q -b "$2" --track "origin/$2"; fi;;
    *) git checkout -q --detach "$1^{commit}";;
  esac
}
at() { echo "$(git rev-parse -q --verify HEAD) $(git symbolic-ref -q HEAD)"; }
move() {
  found=$(resolve "$1" "$2")
  before=$(at)$(git config --get ckan-deploy.moving || :)
  printf '%s\n' "$3" > .git/info/exclude
  if [ -n "$(git config --get ckan-deploy.moving)" ]; then
    rm -f .git/index.lock
    [ -z "$(git status --porcelain --untracked-files=no)" ] || git stash push -q -m "ckan-deploy: of a run that was cut off"
  fi
  git config ckan-deploy.moving "$1"
  status=0; switch "$found" "$1" || status=$?  # git itself refuses before it changes anything
  # For python.environment, which installs what is checked out.
  if [ "$(at)" != "$before" ]; then touch .git/ckan-deploy.moved; fi
  git config --unset ckan-deploy.moving
  return $status
}
"""  # noqa: E501
# The checkout appears whole, or not at all.
_CLONE = (
    _MOVE
    + r"""
set -e; umask 022
repository=$1; dest=$2; ref=$3; ignored=$4
mkdir -p "$(dirname "$dest")"; rm -rf "$dest.part"
git clone -q --no-checkout -- "$repository" "$dest.part"
cd "$dest.part"
move "$ref" "$repository" "$ignored"
cd /; [ ! -e "$dest" ] || rmdir "$dest"; mv -T "$dest.part" "$dest"
"""
)
_FETCH = (
    _MOVE
    + r"""
set -e; umask 022
repository=$1; dest=$2; ref=$3; ignored=$4
rm -rf "$dest.part"; cd "$dest"
git config remote.origin.url "$repository"
git fetch -q --tags origin
move "$ref" "$repository" "$ignored"
"""
)
_REMOVE = r"""
folder=$1; shift; rm -rf -- "$@"; for path; do rm -rf "$path.part"; done; rmdir "$folder" 2>/dev/null || :
"""
_REMOTE = 'git -C "$2" config remote.origin.url "$1"'


@operation()
def checkout(
    repository: str, dest: str, ref: str, ignored: Sequence[str] = (), update: bool = False
) -> Generator[StringCommand, None, None]:
    """Have a checkout of a repository at a tag, a branch or a commit.

    + repository: its address
    + dest: absolute path of the checkout
    + ref: name of a tag or a branch, or the hash of a commit
    + ignored: patterns of files that others generate in it
    + update: fetch, and move to the newest of a branch, which is never settled then

    What is checked out stays so: a branch that has grown is not followed unless ``update`` is given; a tag that was
    moved never is. Raises ``OperationError``, and changes nothing, when it would have to move and there are changes
    that are not committed or commits that no remote has, and when something else stands at ``dest``.
    """
    current = host.get_fact(Checkouts, wanted=((dest, ref),)).get(dest)
    if current is None:
        foresight.will_touch(dest)
        yield script(_CLONE, repository, dest, ref, "\n".join(ignored))
        return
    if _settled(current, ref, update):
        if current.remote == repository:
            host.noop(f"{dest} is at {ref}")
            return
        yield script(_REMOTE, repository, dest)
        return
    _raise_if_in_the_way(current, dest, ref)
    foresight.will_touch(dest)
    yield script(_FETCH, repository, dest, ref, "\n".join(ignored))


@operation(is_idempotent=True)
def nothing_in_the_way(wanted: Mapping[str, str], update: bool = False) -> Generator[StringCommand, None, None]:
    """Raise what ``checkout`` would raise for one of several checkouts, before the first of them moves.

    + wanted: refs by the paths of checkouts
    + update: as ``checkout`` has it
    """
    found = host.get_fact(Checkouts, wanted=tuple(wanted.items()))
    for dest, current in found.items():
        if not _settled(current, wanted[dest], update):
            _raise_if_in_the_way(current, dest, wanted[dest])
    host.noop("no work would be lost")
    yield from ()


@operation()
def absent(folder: str, names: Sequence[str]) -> Generator[StringCommand, None, None]:
    """Remove checkouts that nobody has work in, and their folder when nothing else is left in it.

    + folder: absolute path of the folder
    + names: of the checkouts in it

    Raises ``OperationError``, and removes nothing, when one of them holds what only is there.
    """
    paths = {f"{folder}/{name}": name for name in names}
    found = host.get_fact(Checkouts, wanted=tuple((path, "HEAD") for path in paths))
    if not found:
        host.noop(f"there is no checkout in {folder}")
        return
    for path, current in found.items():
        if problem := _kept_only_here(current):
            raise OperationError(f"{path} on {host.name} {problem}; it was to be removed, and was left as it is")
    foresight.will_touch(*found)
    yield script(_REMOVE, folder, *found)


def _settled(current: CheckoutState, ref: str, update: bool) -> bool:
    """Whether REF is checked out: a tag's commit, or its branch wherever that is, unless UPDATE follows it."""
    if not current.repository or current.moving or (update and current.branch):
        return False
    if current.tag or current.commit:
        return current.head == (current.tag or current.commit)
    return current.tracked and current.branch == ref


def _raise_if_in_the_way(current: CheckoutState, dest: str, ref: str) -> None:
    if problem := _in_the_way(current):
        raise OperationError(f"{dest} on {host.name} {problem}; it was to move to {ref}, and was left as it is")


def _in_the_way(current: CheckoutState) -> str:
    """Say what forbids to move; "" when nothing does."""
    if not current.repository:
        return "is no git checkout, or git is missing there; move it away, or install git"
    if current.moving:  # what is changed in it was changed by the run that was cut off
        return ""
    if not current.head:
        return "cannot be read by root's git; it must be root's own (chown -R root:root)"
    if current.dirty:
        return f"has changes that are not committed ({_some(current.dirty)}); commit and push, or stash them"
    if current.unpushed:
        return f"has {_commits(current.unpushed)}; push, or check out something else by hand"
    return ""


def _kept_only_here(current: CheckoutState) -> str:
    """Say what would be lost with the checkout; "" when nothing would."""
    if not current.repository or not current.head:
        return "is no git checkout that root's git can read; move it away"
    if files := current.dirty + current.untracked:
        return f"has changes that are not committed ({_some(files)}); commit and push, or undo them"
    if current.local:
        return f"has {_commits(current.local)}, branches and stashes counted; push or drop what you do not need"
    return ""


def _commits(number: int) -> str:
    return "1 commit that no remote has" if number == 1 else f"{number} commits that no remote has"


def _some(files: Sequence[str]) -> str:
    return ", ".join(files[:3]) + (f" and {len(files) - 3} more" if len(files) > 3 else "")
