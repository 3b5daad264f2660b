"""An inventory, as the commands that keep its secrets see it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from settings.commandline import check_inventory
from settings.data_files import DataFiles, files_of
from settings.host import secrets_declared
from settings.invocation import program
from settings.loading import load
from settings.outline import Outline
from settings.resolve import resolve, store_for
from settings.schema import nearest
from settings.secrets.errors import SecretsError
from settings.secrets.identity import Identities
from settings.secrets.sealed import Place
from settings.secrets.vault import Vault
from settings.sources import HostSource, from_inventory
from settings.store import SecretStore


@dataclass(frozen=True)
class Site:
    """An inventory's hosts and its store of secrets."""

    hosts: dict[str, HostSource]
    store: SecretStore
    files: DataFiles

    @classmethod
    def of(cls, inventory: str, identity: str | None = None) -> Site:
        """Read INVENTORY, without a connection.

        + identity: path of the private key to use
        """
        check_inventory(inventory)
        files = files_of(inventory)
        hosts = from_inventory(load(inventory, files), files)
        if not hosts:
            raise SecretsError(f"{inventory} has no host, and so no environment whose secrets these could be")
        store = store_for(hosts, inventory)
        if not store.placed:
            raise SecretsError(
                f"{inventory} does not say where its secrets are: secrets_folder is wrong, or not the same for all "
                f"hosts; `{program('python')} -m settings {shlex.quote(inventory)}` says where"
            )
        if identity:
            store.vault.identities = Identities(Path(identity).expanduser())
        return cls(hosts, store, files)

    @property
    def vault(self) -> Vault:
        """The file of secrets."""
        return self.store.vault

    def outline(self) -> Outline:
        """Return which secrets the inventory needs."""
        return Outline.of(self.store, lambda outline: resolve(self.hosts, outline, self.files))

    def place(self, name: str, host: str | None, known: Iterable[Place] = ()) -> Place:
        """Return the place of a secret that the operator named; raise ``SecretsError`` for a mistyped one.

        + known: places that are right although no component declares them
        """
        place = Place(name, host or "")
        if place not in known:
            _check("secret", name, secrets_declared())
            if host:
                _check("host", host, self.hosts)
        return place


def _check(what: str, name: str, known: Iterable[str]) -> None:
    names = sorted(known)
    if name not in names:
        near = nearest(name, names)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(names)}"
        raise SecretsError(f"there is no {what} {name}; {hint}")
