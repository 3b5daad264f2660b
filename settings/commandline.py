"""The stop when pyinfra's command line names something that does not exist.

pyinfra itself warns and ends with success when the inventory, or what ``--limit`` selects, is not there.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import click
from pyinfra.api.exceptions import PyinfraError
from pyinfra_cli.inventory import make_inventory

from settings.inventory_checks import GROUPS

_SPECIAL_GROUPS = {"all", "@ssh"}


def check() -> None:
    """Raise ``PyinfraError`` when the inventory, ``--limit``, ``--exclude`` or a group data file names nobody."""
    context = click.get_current_context(silent=True)
    if context is None:  # pyinfra's API has no command line
        return
    root = Path(context.params.get("chdir") or Path.cwd())
    name = str(context.params["inventory"])
    check_inventory(name, root)
    check_group_data(root)
    for option in ("limit", "exclude"):
        check_selection(name, option, tuple(context.params.get(option) or ()), root)


def check_inventory(name: str, root: Path) -> None:
    """Raise ``PyinfraError`` unless NAME is an inventory file, or a list of hosts (``a,b`` or ``@connector``)."""
    if "," in name or name.startswith("@") or (root / name).is_file():
        return
    known = sorted(str(path.relative_to(root)) for path in (root / "inventory").glob("*.py"))
    raise PyinfraError(f"there is no inventory {name}; there are {', '.join(known) or 'none'}")


def check_group_data(root: Path) -> None:
    """Raise ``PyinfraError`` for a file in group_data/ that belongs to no group and no inventory."""
    environments = {path.stem for path in (root / "inventory").glob("*.py")}
    known = {"all", *GROUPS, *environments}
    for path in sorted((root / "group_data").glob("*.py")):
        if path.stem not in known:
            raise PyinfraError(
                f"group_data/{path.name} belongs to no group and no inventory; it would be ignored. "
                f"Groups and inventories are {', '.join(sorted(known))}"
            )


def check_selection(inventory: str, option: str, patterns: tuple[str, ...], root: Path) -> None:
    """Raise ``PyinfraError`` when one of PATTERNS (of ``--limit`` or ``--exclude``) selects no host of INVENTORY."""
    if not patterns:
        return
    found = make_inventory(inventory, cwd=str(root))
    hosts = [host.name for host in found]
    groups = {group: members for group, members in found.groups.items() if members}
    for pattern in patterns:
        if pattern not in groups and not any(fnmatch(host, pattern) for host in hosts):
            names = ", ".join(sorted(set(groups) - _SPECIAL_GROUPS))
            raise PyinfraError(
                f"--{option} {pattern} selects no host of {inventory}; groups are {names}; hosts are {', '.join(hosts)}"
            )
