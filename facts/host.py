"""Facts that decide whether a host can be deployed at all."""

from __future__ import annotations

from dataclasses import dataclass

from pyinfra.api import FactBase
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
