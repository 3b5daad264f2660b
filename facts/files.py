"""Facts about files."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value


@dataclass(frozen=True)
class FileState(Value):
    """One path as it is on the host; ``kind`` is stat's word: "regular file", "directory", "symbolic link" …"""

    kind: str
    mode: int
    owner: str
    group: str
    sha256: str | None
    target: str | None


@dataclass(frozen=True)
class ManagedState(Value):
    """A path that ckan-deploy manages: what is there, and whether a killed run left a file beside it."""

    state: FileState | None
    leftover: bool = False


def leftover_path(path: str) -> str:
    """Return the path at which ``files.install`` builds the successor of PATH, in the same folder.

    While its check runs, the file from before is kept at this path with ``.old`` at its end.
    """
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.ckan-deploy"


class Managed(FactBase[ManagedState]):
    """What stands at PATH, content hash included.

    + path: absolute path; a symbolic link is described, not followed
    """

    @override
    def command(self, path: str) -> StringCommand:
        """Build the one command of this fact; SHA-256 is asked of regular files only."""
        quoted, leftover, old = (QuoteString(p) for p in (path, leftover_path(path), f"{leftover_path(path)}.old"))
        return StringCommand(
            "for rest in", leftover, old, '; do if [ -e "$rest" ] || [ -L "$rest" ]; then echo leftover; fi; done;',
            "if [ -e", quoted, "] || [ -L", quoted, "]; then",
            "LC_ALL=C stat -c 'stat %a %U %G %F'", quoted, ";",
            "if [ -L", quoted, "]; then printf 'target %s\\n' \"$(readlink", quoted, ')";',
            "elif [ -f", quoted, "]; then printf 'sha256 %s\\n' \"$(sha256sum <", quoted, '| cut -c1-64)"; fi; fi',
        )  # fmt: skip

    @staticmethod
    @override
    def default() -> ManagedState:
        """Nothing is there."""
        return ManagedState(None)

    @override
    def process(self, output: list[str]) -> ManagedState:
        """Parse the lines into a ``ManagedState``; raises ``FactProcessError`` with the output shown."""
        fields = dict(line.partition(" ")[::2] for line in output)
        leftover = "leftover" in fields
        if "stat" not in fields:
            if set(fields) - {"leftover"}:
                raise FactProcessError(f"stat printed what is not understood: {output!r}")
            return ManagedState(None, leftover)
        try:
            mode, owner, group, kind = fields["stat"].split(" ", 3)
            state = FileState(
                kind="regular file" if kind == "regular empty file" else kind,
                mode=int(mode, 8),
                owner=owner,
                group=group,
                sha256=fields.get("sha256"),
                target=fields.get("target"),
            )
        except ValueError:
            raise FactProcessError(f"stat printed what is not understood: {output!r}") from None
        return ManagedState(state, leftover)
