"""Facts about Python environments."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from urllib.parse import unquote

from packaging.utils import canonicalize_name
from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value

# Run by the environment's own interpreter; a half-written or foreign environment makes it fail, which is an answer.
_LIST = """
import importlib.metadata as m, json, sys
packages, editable = [], []
for d in m.distributions(path=[p for p in sys.path if p.startswith(sys.prefix)]):
    name, origin = d.metadata["Name"] or "?", json.loads(d.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        editable.append((name, origin["url"]))
    else:
        packages.append((name, d.version))
print(json.dumps({"python": "%d.%d" % sys.version_info[:2], "packages": sorted(packages), "editable": sorted(editable)}))
"""  # noqa: E501
_SCRIPT = r"""
printf 'link %s\n' "$(readlink "$1")"
for slot in a b deb; do [ ! -e "$1.$slot" ] || echo "slot $slot"; done
[ ! -f "$1/ckan-deploy.deb" ] || printf 'archive %s\n' "$(cat "$1/ckan-deploy.deb")"
if [ -f "$1/ckan-deploy.editable" ]; then
  sha256sum --check --status "$1/ckan-deploy.editable" 2>/dev/null || echo outdated
  while read -r _ file; do  # git.checkout leaves this when it moves a checkout
    moved=${file%/*}/.git/ckan-deploy.moved  # not counted when it is in the future, or each run would build
    [ ! "$moved" -nt "$1/ckan-deploy.editable" ] || [ -n "$(find "$moved" -newermt now)" ] || echo outdated
  done < "$1/ckan-deploy.editable"
fi
printf 'system %s\n' "$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null)"
if [ -e "$1/ckan-deploy.finish" ]; then
  cd "$1"; digest=$(sha256sum < ckan-deploy.finish)
  if sha256sum --check --status ckan-deploy.finished 2>/dev/null; then printf 'finished %s\n' "${digest%% *}"
  else echo 'finished changed'; fi
fi
[ ! -x "$1/bin/python" ] || printf 'environment %s\n' "$("$1/bin/python" -I -c "$2" 2>/dev/null)"
"""


@dataclass(frozen=True)
class EnvironmentState(Value):
    """A virtual environment: the slot that its path leads to, the slots that exist, and what is installed.

    ``packages``: versions of what is installed in it; ``editable``: folders of what is installed from there;
    ``outdated``: one of these folders describes its package otherwise than when it was installed, or was moved since.
    ``archive``: SHA-256 of the package that it came out of, where it did. The slot "deb" is the rest of a killed run.
    ``finished``: SHA-256 of the program that ended its build; "changed" when what that wrote is no longer so.
    """

    slot: str | None = None
    slots: tuple[str, ...] = ()
    system_python: str = ""
    python: str = ""
    archive: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    editable: dict[str, str] = field(default_factory=dict)
    outdated: bool = False
    finished: str = ""


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
        editable: dict[str, str] = {}
        if fields.get("environment"):
            try:
                listing = json.loads(fields["environment"])
                python = listing["python"]
                packages = {canonicalize_name(name): version for name, version in listing["packages"]}
                folders = listing.get("editable", ())
                editable = {canonicalize_name(name): unquote(url.removeprefix("file://")) for name, url in folders}
            except (KeyError, TypeError, ValueError):
                raise FactProcessError(f"the environment's listing is not understood: {output!r}") from None
        target = fields["link"]
        return EnvironmentState(
            slot=target.rpartition(".")[2] if target else None,
            slots=tuple(slots),
            system_python=fields.get("system", ""),
            python=python,
            archive=fields.get("archive", ""),
            packages=packages,
            editable=editable,
            outdated="outdated" in fields,
            finished=fields.get("finished", ""),
        )
