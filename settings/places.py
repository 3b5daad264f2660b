"""Where in the inventory and its group data something of a host stands: for sentences about connections."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from pyinfra.api import Inventory

from settings.data_files import DataFiles, files_of_run
from settings.sources import HostSource, from_inventory


def places(inventory: Inventory, files: DataFiles | None = None) -> Callable[[str, str], str]:
    """Return a function that says where a host stands, or what gave a key its value for it; empty where nothing did.

    + files: those of INVENTORY; by default those of pyinfra's command line
    """
    files = files or files_of_run()

    @cache
    def sources() -> dict[str, HostSource]:  # of no use to a run that reaches all hosts
        return from_inventory(inventory, files)

    def where(host: str, key: str) -> str:
        if not key:
            return str(sources()[host].origin)
        value = sources()[host].pick()[0].get(key)
        return "" if value is None else str(value.origin)

    return where
