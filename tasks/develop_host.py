"""The development host of an inventory, for the tasks that are for such hosts alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyinfra.api import Config, State
from pyinfra.api.connect import disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.host import Host
from pyinfra.api.inventory import Inventory

from pyinfra_adapter import reach
from settings.commandline import check_group_data, check_inventory
from settings.data_files import DataFiles, files_of
from settings.develop import DevelopSettings
from settings.host import SettingsError
from settings.loading import load
from settings.offline import Offline
from settings.places import places
from settings.resolve import examine, store_for
from settings.sources import from_inventory

_config: Any = Config  # pyinfra's constructors have no types
_state: Any = State


def development_host(inventory: str, data: dict[str, object]) -> tuple[Inventory, str, DevelopSettings]:
    """Return the loaded INVENTORY, the name of its development host, and that host's settings; offline.

    + data: as from pyinfra's ``--data``

    Raises ``PyinfraError`` when settings are wrong, or no host is one for development: what these tasks do must not be
    done to a portal that people use.
    """
    check_inventory(inventory)
    check_group_data()
    files = files_of(inventory)
    loaded = load(inventory, files, data)
    hosts = from_inventory(loaded, files)
    found = examine(hosts, Offline(store_for(hosts, files.given)), files)
    if found.problems:
        raise SettingsError([str(problem) for problem in found.problems])
    for name, settings in found.hosts.items():
        if settings.develop:
            return loaded, name, settings.develop
    raise PyinfraError(f"{inventory} has no development host (develop_enabled = True); nothing was done")


@contextmanager
def connected(inventory: Inventory, name: str, files: DataFiles) -> Iterator[Host]:
    """Have a connection to the host NAME of INVENTORY, which FILES have. Raises ``PyinfraError`` when there is none."""
    state = _state(inventory, _config(SUDO=True))
    state.limit_hosts = [inventory.get_host(name)]
    reach.prepare()
    reach.connect_all(state, places(inventory, files))
    try:
        yield inventory.get_host(name)
    finally:
        disconnect_all(state)
