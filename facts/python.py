"""Facts about Python environments."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from packaging.utils import canonicalize_name
from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value

# Run by the environment's own interpreter; a half-written or foreign environment makes it fail, which is an answer.
_LIST = """
import importlib.metadata as m, json, sys
found = sorted((d.metadata["Name"] or "?", d.version) for d in m.distributions(path=[p for p in sys.path if p.startswith(sys.prefix)]))
print(json.dumps({"python": "%d.%d" % sys.version_info[:2], "packages": found}))
"""  # noqa: E501
_SCRIPT = r"""
printf 'link %s\n' "$(readlink "$1")"
for slot in a b; do [ ! -e "$1.$slot" ] || echo "slot $slot"; done
printf 'system %s\n' "$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)"
[ ! -x "$1/bin/python" ] || printf 'environment %s\n' "$("$1/bin/python" -I -c "$2" 2>/dev/null)"
"""


@dataclass(frozen=True)
class EnvironmentState(Value):
    """A virtual environment: the slot that its path leads to, the slots that exist, and what is installed."""

    slot: str | None = None
    slots: tuple[str, ...] = ()
    system_python: str = ""
    python: str = ""
    packages: dict[str, str] = field(default_factory=dict)


class Environment(FactBase[EnvironmentState]):
    """The virtual environment at PATH: names (normalised) and versions of what it holds.

    + path: of the environment; ``path.a`` and ``path.b`` are the slots in which environments are built
    """

    @override
    def command(self, path: str) -> StringCommand:
        """Build the one command of this fact."""
        return StringCommand("sh -c", QuoteString(_SCRIPT), "ckan-deploy", QuoteString(path), QuoteString(_LIST))

    @staticmethod
    @override
    def default() -> EnvironmentState:
        """There is no environment."""
        return EnvironmentState()

    @override
    def process(self, output: list[str]) -> EnvironmentState:
        """Parse the lines; raises ``FactProcessError`` with the output shown."""
        fields: dict[str, str] = {}
        slots = []
        for line in output:
            key, _, value = line.partition(" ")
            if key == "slot":
                slots.append(value)
            fields[key] = value
        if "link" not in fields:
            raise FactProcessError(f"the environment's listing is not understood: {output!r}")
        python = ""
        packages: dict[str, str] = {}
        if fields.get("environment"):
            try:
                listing = json.loads(fields["environment"])
                python = listing["python"]
                packages = {canonicalize_name(name): version for name, version in listing["packages"]}
            except (KeyError, TypeError, ValueError):
                raise FactProcessError(f"the environment's listing is not understood: {output!r}") from None
        target = fields["link"]
        return EnvironmentState(
            slot=target.rpartition(".")[2] if target else None,
            slots=tuple(slots),
            system_python=fields.get("system", ""),
            python=python,
            packages=packages,
        )
