"""Facts about the operating system's packages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value

# dpkg notes what it is about to do below updates/ and packages half done in its status; --audit tells the latter.
# The lists are old when a source was changed after they were read.
_SCRIPT = r"""
dpkg-query -W -f 'package ${db:Status-Abbrev} ${Package} ${Version}\n' "$@" 2>/dev/null
dpkg-query -W -f '${db:Status-Abbrev}|unfinished ${Package}\n' 2>/dev/null | sed -n '/^\(.[UFHWt]\|..R\)/s/.*|//p'
[ -z "$(ls /var/lib/dpkg/updates 2>/dev/null)" ] && [ -z "$(dpkg --audit 2>/dev/null)" ] || echo interrupted
lists=$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -printf '%T@\n' 2>/dev/null | sort -rn | head -n 1)
sources=$(find /etc/apt/sources.list /etc/apt/sources.list.d -type f -printf '%T@\n' 2>/dev/null | sort -rn | head -n 1)
echo "lists ${lists:-0} ${sources:-0}"
exit 0
"""


@dataclass(frozen=True)
class AptState(Value):
    """Versions of those asked-for packages that are installed, and what apt needs first.

    ``removed``: packages of which only the configuration is left; they do not set it up again. ``unfinished``: all
    packages that were being unpacked or configured when dpkg was interrupted.
    """

    versions: dict[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    interrupted: bool = False
    unfinished: tuple[str, ...] = ()
    lists_outdated: bool = False


class Packages(FactBase[AptState]):
    """Which of PACKAGES are installed, whether dpkg was interrupted, whether the lists are older than their sources.

    + packages: names, without version
    """

    @override
    def command(self, packages: Sequence[str]) -> StringCommand:
        """Build the one command of this fact."""
        return StringCommand("sh -c", QuoteString(_SCRIPT), "ckan-deploy", *map(QuoteString, packages))

    @staticmethod
    @override
    def default() -> AptState:
        """Nothing is installed."""
        return AptState()

    @override
    def process(self, output: list[str]) -> AptState:
        """Parse the lines; raises ``FactProcessError`` with the output shown."""
        versions: dict[str, str] = {}
        removed: list[str] = []
        unfinished: list[str] = []
        interrupted = outdated = False
        for line in output:
            match line.split():
                case ["package", "ii" | "hi", name, version]:
                    versions[name] = version
                case ["package", "rc", name, _]:
                    removed.append(name)
                case ["package", *_]:
                    pass  # known to dpkg, not installed
                case ["unfinished", name]:
                    unfinished.append(name)
                case ["interrupted"]:
                    interrupted = True
                case ["lists", lists, sources] if _is_time(lists) and _is_time(sources):
                    outdated = float(sources) > float(lists)
                case _:
                    raise FactProcessError(f"dpkg-query printed what is not understood: {line!r}")
        return AptState(versions, tuple(removed), interrupted, tuple(unfinished), outdated)


class Brought(FactBase[tuple[str, ...]]):
    """What an installation of PACKAGES would bring along, as apt's simulation says; nothing where it cannot tell.

    + packages: names, none of them installed

    It cannot tell without lists, as on a host that has never fetched any.
    """

    @override
    def command(self, packages: Sequence[str]) -> StringCommand:
        """Build the one command of this fact; it takes no lock."""
        simulate = "LC_ALL=C apt-get -s -q --no-install-recommends install"
        return StringCommand(simulate, *map(QuoteString, packages), "2>/dev/null || true")

    @staticmethod
    @override
    def default() -> tuple[str, ...]:
        """Nothing is known to come along."""
        return ()

    @override
    def process(self, output: list[str]) -> tuple[str, ...]:
        """Take the names of new packages: ``Inst name (version …)``; a version before that is an upgrade."""
        words = [line.split() for line in output]
        return tuple(sorted(line[1] for line in words if len(line) > 2 and line[0] == "Inst" and line[2][0] == "("))


def _is_time(text: str) -> bool:
    return text.replace(".", "", 1).isdecimal()
