"""The stop before any connection: pyinfra's command line names something that does not exist, or settings are wrong.

pyinfra itself warns and ends with success when the inventory, or what ``--limit`` selects, is not there; and it would
connect to all hosts, with whatever is wrong in the data, before deploy.py could say so.
"""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path

import click
from pyinfra.api import Inventory
from pyinfra.api.exceptions import PyinfraError
from pyinfra_cli.cli import _set_override_data

from settings.data_files import files_of_run
from settings.inventory_checks import GROUPS
from settings.loading import load
from settings.resolve import of_inventory

_SPECIAL_GROUPS = {"all", "@ssh"}


def check() -> None:
    """Raise ``PyinfraError`` when the command line names nobody, or data cannot be loaded or is wrong for deploy.py."""
    context = click.get_current_context(silent=True)
    if context is None:  # pyinfra's API has no command line
        return
    given = context.params
    name = str(given["inventory"])
    check_inventory(name)
    check_group_data()
    logins = ("ssh_user", "ssh_key", "ssh_key_password", "ssh_port", "ssh_password")
    data = _set_override_data(given.get("data") or (), *(given.get(login) for login in logins))
    inventory = load(name, files_of_run(), data, tuple(given.get("group_data") or ()))
    for option in ("limit", "exclude"):
        check_selection(inventory, name, option, tuple(given.get(option) or ()))
    if any(Path(operation).name == "deploy.py" for operation in given.get("operations") or ()):
        of_inventory(inventory)


def check_inventory(name: str) -> None:
    """Raise ``PyinfraError`` unless NAME is an inventory file, or a list of hosts (``a,b`` or ``@connector``)."""
    if "," in name or name.startswith("@") or Path(name).is_file():
        return
    known = sorted(map(str, Path("inventory").glob("*.py")))
    raise PyinfraError(f"there is no inventory {name}; there are {', '.join(known) or 'none'}")


def check_group_data() -> None:
    """Raise ``PyinfraError`` for a file in group_data/ that belongs to no group and no inventory."""
    environments = {path.stem for path in Path("inventory").glob("*.py")}
    known = {"all", *GROUPS, *environments}
    stray = [str(path) for path in sorted(Path("group_data").glob("*.py")) if path.stem not in known]
    if stray:
        raise PyinfraError(
            f"{' and '.join(stray)} {'belong' if stray[1:] else 'belongs'} to no group and no inventory; "
            f"{'they' if stray[1:] else 'it'} would be ignored. Groups and inventories are {', '.join(sorted(known))}"
        )


def check_selection(inventory: Inventory, name: str, option: str, patterns: tuple[str, ...]) -> None:
    """Raise ``PyinfraError`` when one of PATTERNS (of ``--limit`` or ``--exclude``) selects no host of INVENTORY."""
    hosts = [host.name for host in inventory]
    groups = {group: members for group, members in inventory.groups.items() if members}
    for pattern in patterns:
        if pattern not in groups and not any(fnmatch(host, pattern) for host in hosts):
            names = ", ".join(sorted(set(groups) - _SPECIAL_GROUPS))
            raise PyinfraError(
                f"--{option} {pattern} selects no host of {name}; groups are {names}; hosts are {', '.join(hosts)}"
            )
