"""Facts about git checkouts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value

# Reads only: `git status` would otherwise write what it finds into the index, and look like a change to who follows it.
_STATE = r"""
export GIT_OPTIONAL_LOCKS=0 LC_ALL=C.UTF-8
while [ $# -gt 1 ]; do
  path=$1; ref=$2; shift 2
  [ -e "$path" ] || [ -L "$path" ] || continue
  if [ -d "$path" ] && [ ! -L "$path" ] && [ -z "$(ls -A "$path")" ]; then continue; fi
  printf 'path\t%s\n' "$path"
  if [ ! -d "$path/.git" ] || ! command -v git >/dev/null; then continue; fi
  g() { git -C "$path" "$@" 2>/dev/null; }
  printf 'remote\t%s\n' "$(g config --get remote.origin.url)"
  printf 'head\t%s\n' "$(g rev-parse -q --verify 'HEAD^{commit}')"
  printf 'branch\t%s\n' "$(g symbolic-ref -q --short HEAD)"
  printf 'described\t%s\n' "$(g describe --tags --always)"
  wanted=$(g rev-parse -q --verify "refs/tags/$ref^{commit}") && printf 'tag\t%s\n' "$wanted"
  g show-ref -q --verify "refs/remotes/origin/$ref" && printf 'tracked\t%s\n' "$ref"
  case $ref in *[!0-9a-f]*|?????|??????) ;; *) printf 'commit\t%s\n' "$(g rev-parse -q --verify "$ref^{commit}")";; esac
  g status --porcelain | head -n 100 | while IFS= read -r line; do printf 'status\t%s\n' "$line"; done
  printf 'unpushed\t%s\n' "$(g rev-list --count HEAD --not --remotes --tags)"
  stash=$(g rev-parse -q --verify refs/stash)
  printf 'local\t%s\n' "$(g rev-list --count HEAD --branches $stash --not --remotes --tags)"
  printf 'moving\t%s\n' "$(g config --get ckan-deploy.moving)"
done
"""


@dataclass(frozen=True)
class CheckoutState(Value):
    """A folder that is there, and what git says of it.

    + repository: it is a checkout (else the other fields say nothing)
    + remote: address of ``origin``, as configured
    + head: commit that is checked out; ``branch``: its branch, "" when it is on none; ``described``: it in words
    + tag: commit of the tag that is asked for, where it is one that is known here
    + tracked: what is asked for is a branch of ``origin`` that is known here
    + commit: commit that is asked for by its hash, where it is known here
    + dirty: files with changes that are not committed; ``untracked``: files that git neither knows nor ignores
    + unpushed: how many commits below HEAD neither a branch of a remote nor a tag has; ``local``: the same of all that
      is here, other branches and stashes included
    + moving: a run was cut off while it moved the checkout
    """

    repository: bool = False
    remote: str = ""
    head: str = ""
    branch: str = ""
    described: str = ""
    tag: str = ""
    tracked: bool = False
    commit: str = ""
    dirty: tuple[str, ...] = ()
    untracked: tuple[str, ...] = ()
    unpushed: int = 0
    local: int = 0
    moving: bool = False


class Checkouts(FactBase[dict[str, CheckoutState]]):
    """What stands in some folders that are to be checkouts; those that are absent or empty are left out.

    + wanted: pairs of a folder's absolute path and the tag, branch or commit that is asked for
    """

    @override
    def command(self, wanted: Sequence[tuple[str, str]]) -> StringCommand:
        """Build the one command of this fact."""
        arguments = [QuoteString(word) for pair in wanted for word in pair]
        return StringCommand("sh -c", QuoteString(_STATE), "ckan-deploy", *arguments)

    @staticmethod
    @override
    def default() -> dict[str, CheckoutState]:
        """Nothing is there."""
        return {}

    @override
    def process(self, output: list[str]) -> dict[str, CheckoutState]:
        """Parse the lines; raises ``FactProcessError`` with the output shown."""
        found: dict[str, dict[str, Any]] = {}
        fields: dict[str, Any] = {}
        try:
            for line in output:
                key, value = line.split("\t", 1)
                if key == "path":
                    fields = found[value] = {}
                elif key == "status":
                    kind = "untracked" if value.startswith("??") else "dirty"
                    fields[kind] = (*fields.get(kind, ()), value[3:])
                else:
                    fields[key] = value
            return {path: _state(fields) for path, fields in found.items()}
        except (KeyError, ValueError):
            raise FactProcessError(f"git said what is not understood: {output!r}") from None


def _state(fields: dict[str, Any]) -> CheckoutState:
    if not fields:
        return CheckoutState()
    return CheckoutState(
        repository=True,
        remote=fields["remote"],
        head=fields["head"],
        branch=fields["branch"],
        described=fields["described"],
        tag=fields.get("tag", ""),
        tracked="tracked" in fields,
        commit=fields.get("commit", ""),
        dirty=fields.get("dirty", ()),
        untracked=fields.get("untracked", ()),
        unpushed=int(fields["unpushed"] or 0),  # "" where git has no HEAD
        local=int(fields["local"] or 0),
        moving=bool(fields["moving"]),
    )
