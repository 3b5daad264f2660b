"""Resolve the settings of all hosts of an inventory at once, or say everything that is wrong with them.

The result is one frozen object per host that holds a settings object for each of its components. Nothing here
asks a host: everything comes from the inventory, group data and the secret store. In this order:

1. of each host's layers the strongest value of each name (``sources``)
2. names, places and groups (``inventory_checks``), and each value alone (``fields``)
3. rules about several settings (``rules``)
4. secrets (``wanted``), and what is derived (``derive``)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from pyinfra.api import Inventory

from settings import fields
from settings.asking import ask
from settings.data_files import DataFiles, files_of_run
from settings.derive import Derivation
from settings.host import HostSettings, SettingsError
from settings.inventory_checks import GROUPS, misplaced, placeholders, unknown_groups, wrong_groups, wrong_names
from settings.origin import Problem, in_order
from settings.rule import Unknown
from settings.rules import RULES
from settings.schema import settings
from settings.sources import HostSource, from_inventory
from settings.store import SecretStore
from settings.values import Values
from settings.wanted import Secrets, Store


@dataclass(frozen=True)
class Resolution:
    """What was found out, right or wrong.

    + values: what was set, and what of it is valid
    + hosts: the settings by host; empty where they cannot be made
    + problems: all of them, in order
    """

    values: Values
    secrets: Secrets
    hosts: Mapping[str, HostSettings] = field(repr=False)
    problems: list[Problem]


@cache
def of_inventory(inventory: Inventory, files: DataFiles | None = None) -> dict[str, HostSettings]:
    """Return the settings of all hosts of a pyinfra inventory by name, resolved once. Raises ``SettingsError``.

    + files: its files; by default those of pyinfra's command line

    The inventory that config.py checked before the hosts were connected to is the same: it is not resolved again.
    """
    files = files or files_of_run()
    hosts = from_inventory(inventory, files)
    for known, found in _RESOLVED:
        if known == hosts:
            return found
    store = store_for(hosts, files.given)
    ask(store, lambda outline: resolve(hosts, outline, files))
    found = resolve(hosts, store, files)
    _RESOLVED.append((hosts, found))
    return found


_RESOLVED: list[tuple[dict[str, HostSource], dict[str, HostSettings]]] = []


def resolve(hosts: Mapping[str, HostSource], store: Store, files: DataFiles | None = None) -> dict[str, HostSettings]:
    """Return the settings of all HOSTS by name.

    + files: the files they come from

    Raises ``SettingsError`` with all problems at once: unknown or derived names, wrong values, settings that do not
    fit together, missing secrets and addresses, groups without their host.
    """
    found = examine(hosts, store, files)
    if found.problems:
        raise SettingsError([str(problem) for problem in found.problems])
    return dict(found.hosts)


def examine(hosts: Mapping[str, HostSource], store: Store, files: DataFiles | None = None) -> Resolution:
    """Find out all about the settings of HOSTS; the arguments are those of ``resolve``."""
    problems = [*wrong_groups(hosts, files or DataFiles()), *unknown_groups(hosts, files or DataFiles())]
    picked, valid = {}, {}
    for name, host in hosts.items():
        picked[name], disagreements = host.pick()
        valid[name], wrong = fields.check(name, host, picked[name])
        problems += [*disagreements, *wrong, *wrong_names(picked[name]), *placeholders(picked[name])]
    problems += misplaced(hosts, picked)
    values = Values(hosts, picked, valid)
    problems += values.broken(RULES)
    secrets = Secrets(values, store)
    problems += secrets.problems()
    derivation = Derivation(values, secrets)
    try:
        made = derivation.run()
    except Unknown:
        made = {}
    return Resolution(values, secrets, made, in_order([*problems, *derivation.problems]))


def store_for(hosts: Mapping[str, HostSource], inventory: str = "") -> SecretStore:
    """Return the secret store of the inventory: its file in ``secrets_folder``, by default ``inventory/secrets``.

    The environment is the inventory's own group: pyinfra puts all hosts into one of the file's name, after others. In
    the lab ``secrets_generate`` has the store make what is missing.

    + inventory: as it was given, for commands to type; by default ``inventory/ENVIRONMENT.py``
    """
    host = next(iter(hosts.values()), HostSource((), ()))
    own = [group for group in host.groups if group not in GROUPS and not group.startswith("@")]  # @: a connector's
    environment = own[-1] if own else "default"
    setting = settings()["secrets_folder"]
    folders = [host.data.get(setting.name, setting.default) for host in hosts.values()] or [setting.default]
    return SecretStore(
        Path(folders[0] if isinstance(folders[0], str) else setting.default),
        environment,
        generate=host.data.get("secrets_generate") is True,
        inventory=inventory,
        placed=_one_path(folders),
    )


def _one_path(folders: list[object]) -> bool:
    """Whether FOLDERS, one of each host, are one path. What else they are is a problem of the setting."""
    return isinstance(folders[0], str) and all(folder == folders[0] for folder in folders)
