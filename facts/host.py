"""Facts that decide whether a host can be deployed at all."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value


@dataclass(frozen=True)
class HostState(Value):
    """Release ("noble") and its full name, architecture, init system, memory in MiB, free space of / in GiB."""

    codename: str
    name: str
    architecture: str
    systemd: bool
    memory: int
    space: int


class Basics(FactBase[HostState]):
    """What ``preflight`` looks at."""

    @override
    def command(self) -> str:
        """Build the one command of this fact."""
        return (
            ". /etc/os-release; "
            'printf "%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n" "${VERSION_CODENAME:-}" "${PRETTY_NAME:-}" "$(uname -m)" '
            '"$(test -d /run/systemd/system && echo yes)" '
            "\"$(sed -n 's/^MemTotal: *\\([0-9]*\\).*/\\1/p' /proc/meminfo)\" "
            '"$(df -Pk / | tail -n 1 | tr -s " " | cut -d" " -f4)"'
        )

    @override
    def process(self, output: list[str]) -> HostState:
        """Parse the line; raises ``FactProcessError`` with the output shown."""
        try:
            codename, name, architecture, systemd, memory, space = output[-1].split("\t")
            return HostState(
                codename, name, architecture, systemd == "yes", int(memory) // 1024, int(space) // 1024 // 1024
            )
        except ValueError:
            raise FactProcessError(f"the host's basics are not understood: {output!r}") from None


class Unmounted(FactBase[list[str]]):
    """Which of some paths are no mount points.

    + paths: absolute paths
    """

    @override
    def command(self, paths: tuple[str, ...]) -> StringCommand:
        """Build the one command of this fact."""
        quoted = map(QuoteString, paths)
        return StringCommand("for path in", *quoted, '; do mountpoint -q -- "$path" || printf "%s\\n" "$path"; done')

    @staticmethod
    @override
    def default() -> list[str]:
        """All are."""
        return []

    @override
    def process(self, output: list[str]) -> list[str]:
        """Take the lines as they are."""
        return output


_SCRATCH = r"""
used=$(du -skx -- "$1" 2>/dev/null | cut -f1); path=$1
while [ ! -d "$path" ]; do path=$(dirname "$path"); done
echo "$(df -Pk -- "$path" | tail -n 1 | tr -s ' ' | cut -d' ' -f4) ${used:-0}"
"""


class Scratch(FactBase[int | None]):
    """Space for temporary files in a folder, GB: free on its disk, or taken by what is in it already.

    None: it cannot be told.

    + path: absolute path of the folder; where it does not exist yet, that above it counts
    """

    @override
    def command(self, path: str) -> StringCommand:
        """Build the one command of this fact."""
        return StringCommand("sh -c", QuoteString(_SCRATCH), "ckan-deploy", QuoteString(path))

    @staticmethod
    @override
    def default() -> None:
        """It cannot be told."""

    @override
    def process(self, output: list[str]) -> int | None:
        """Add the two numbers, KiB; raises ``FactProcessError`` with the output shown."""
        try:
            free, used = map(int, output[-1].split())
        except (IndexError, ValueError):
            raise FactProcessError(f"the space for temporary files is not understood: {output!r}") from None
        return (free + used) * 1024 // 10**9
