"""The store of secrets, as a run uses it.

A secret has a name, as ``postgresql_password``. It is looked for in the environment variable
``CKAN_DEPLOY_SECRET_POSTGRESQL_PASSWORD``, then in the environment's file ``inventory/secrets/ENVIRONMENT.toml``:
the host's own, else the one of the environment. Nothing is opened, and no passphrase is asked for, before the first
secret of the file is needed. The lab makes those that are missing; elsewhere a missing one stops the run.
"""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

from settings.host import secrets_declared
from settings.schema import nearest
from settings.secret import Secret
from settings.secrets.errors import SecretsError
from settings.secrets.file import Contents
from settings.secrets.form import spec_of, taken, wrong_value
from settings.secrets.identity import Identities
from settings.secrets.made import ThrowawayVault
from settings.secrets.sealed import Place
from settings.secrets.vault import Vault

_VARIABLE = "CKAN_DEPLOY_SECRET_"
ROOT = Path(__file__).resolve().parent.parent
FROM_ENVIRONMENT = "the environment variable "  # how the origin of a secret begins that stands in no file
# Origins of a secret that is not there.
MISSING = "missing"
TO_BE_MADE = "made by the next run"


class SecretStore:
    """The secrets of one environment.

    + folder: holds ``ENVIRONMENT.toml`` and ``recipients``; a relative one is below the checkout
    + environment: name of the inventory's file
    + generate: make secrets that are missing, and a key to open them with beside them (lab and demo)
    + inventory: what commands are told, for sentences; by default ``inventory/ENVIRONMENT.py``
    + identities: the operator's keys
    + placed: whether the settings say where it is; when they are wrong there, it neither has nor lacks a secret
    """

    def __init__(
        self,
        folder: Path,
        environment: str = "default",
        *,
        generate: bool = False,
        inventory: str = "",
        identities: Identities | None = None,
        placed: bool = True,
    ) -> None:
        folder = ROOT / folder
        self.generate, self.placed = generate, placed
        self.vault = (
            ThrowawayVault(folder, environment, inventory)
            if generate
            else Vault(folder, environment, identities, inventory)
        )
        self.problems: list[str] = []
        self.given: dict[Place, Secret] = {}
        self._opened: dict[Place, Secret] = {}

    def get(self, name: str, host: str | None = None) -> Secret | None:
        """Return the secret NAME, for HOST where it has its own.

        None, and a sentence in ``problems``, when it is missing or cannot be opened.
        """
        if not self.placed:
            return None
        try:
            return _from_variable(name) or self._from_file(self.place(name, host))
        except SecretsError as error:
            if str(error) not in self.problems:
                self.problems.append(str(error))
            return None

    def origin(self, name: str, host: str | None = None) -> str:
        """Say where the secret NAME comes from; opens nothing."""
        if os.environ.get(variable(name)):
            return f"{FROM_ENVIRONMENT}{variable(name)}"
        place = self.place(name, host)
        if place in self.given:
            return "entered for this run"
        if place in self._contents.sealed:
            return f"{shown(self.vault.path)}{f', host {host}' if place.host else ''}"
        return TO_BE_MADE if self.generate else MISSING

    def has(self, name: str, host: str | None = None) -> bool:
        """Whether there is a secret NAME; opens nothing. Raises ``SecretsError`` for a file that cannot be read."""
        return self.origin(name, host) != MISSING

    def missing(self, place: Place) -> str:
        """Say that the secret in PLACE is missing, and what to do."""
        spec = spec_of(place.name)
        do = f"give it with {self.vault.command(f'set {place.name}', 'FILE' if spec.multiline else '')}"
        if spec.generated:
            do = f"make it with {self.vault.command('generate')}"
        elif spec.description:
            do += f" ({spec.description})"
        return f"the secret {place} is missing in {shown(self.vault.path)}: {do}"

    def place(self, name: str, host: str | None = None) -> Place:
        """Return where the secret NAME is for HOST: in a place of its own, or in everybody's."""
        own = Place(name, host or "")
        return own if own in self.given or own in self._contents.sealed else Place(name)

    def again(self) -> None:
        """Read the file again when it is needed next: it was changed."""
        self.__dict__.pop("_contents", None)

    @cached_property
    def _contents(self) -> Contents:
        return self.vault.contents()

    def _from_file(self, place: Place) -> Secret:
        if place in self.given:
            return self.given[place]
        if place not in self._contents.sealed and isinstance(self.vault, ThrowawayVault):
            self.vault.make(place)
            self.again()
        if place not in self._contents.sealed:
            raise SecretsError(self.missing(place))
        if place not in self._opened:
            self._opened[place] = self.vault.open(place, self._contents)
        return self._opened[place]


def variable(name: str) -> str:
    """Return the environment variable that gives the secret NAME instead of the file."""
    return f"{_VARIABLE}{name.upper()}"


def unknown_variables() -> list[str]:
    """Say which environment variables look like secrets, but give none."""
    known = {variable(name) for name in secrets_declared()}
    sentences = []
    for name in sorted(name for name in os.environ if name.startswith(_VARIABLE) and name not in known):
        near = nearest(name, known)
        hint = f"did you mean {near}?" if near else f"secrets are {', '.join(sorted(secrets_declared()))}"
        sentences.append(f"the environment variable {name} gives no secret that there is; {hint}")
    return sentences


def shown(path: Path) -> Path:
    """Return PATH as an operator in the checkout writes it."""
    return path.relative_to(ROOT) if path.is_relative_to(ROOT) else path


def _from_variable(name: str) -> Secret | None:
    value = taken(name, os.environ.get(variable(name), ""))
    if not value.unmask():
        return None
    if wrong := wrong_value(value.unmask(), multiline=spec_of(name).multiline):
        raise SecretsError(f"the secret {name} in the environment variable {variable(name)} cannot be used: {wrong}")
    return value
