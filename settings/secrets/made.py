"""Secrets made by chance, and the throwaway key of an environment that makes its own (the lab)."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pyrage

from settings.component import SecretSpec
from settings.secret import Secret
from settings.secrets import file
from settings.secrets.errors import SecretsError
from settings.secrets.file import Contents
from settings.secrets.form import spec_of
from settings.secrets.identity import Identities
from settings.secrets.recipients import FILE, Recipient
from settings.secrets.sealed import Place
from settings.secrets.vault import Vault

# The throwaway key, beside the secrets that it opens.
_KEY = "identity"


def random(spec: SecretSpec) -> Secret:
    """Return a new value for the secret that SPEC describes.

    It begins and ends with a letter or digit where the alphabet has some, so that a double click takes it whole.
    """
    while True:
        value = "".join(secrets.choice(spec.alphabet) for _ in range(spec.length))
        if (value[0].isalnum() and value[-1].isalnum()) or not any(map(str.isalnum, spec.alphabet)):
            return Secret(value)


def fill(vault: Vault, places: Iterable[Place]) -> list[Place]:
    """Make those of the secrets in PLACES that are missing; return their places."""
    return vault.change(
        lambda contents: {place: random(spec_of(place.name)) for place in places if place not in contents.sealed}
    )


class ThrowawayVault(Vault):
    """A vault with a key of its own beside it, in clear text: for environments that are thrown away.

    Key and secrets are made when they are first needed; of two runs at once one makes them and both read them.
    """

    def __init__(self, folder: Path, environment: str, inventory: str = "") -> None:
        super().__init__(folder, environment, Identities(folder / _KEY), inventory)

    def make(self, *places: Place) -> None:
        """Make those of the secrets in PLACES that are missing, whether or not a person should give them.

        Those of several lines (keys, certificates) are not made: chance makes none that fits.
        """
        fill(self, [place for place in places if not spec_of(place.name).multiline])

    def change(self, decide: Callable[[Contents], Mapping[Place, Secret]], gone: Iterable[Place] = ()) -> list[Place]:
        """As any vault does; the key is made first when it is not there."""
        self._have_key()
        return super().change(decide, gone)

    def ready(self) -> list[Recipient]:
        """Return those to seal for: the throwaway key, which is made when it is not there."""
        self._have_key()
        return super().ready()

    def _have_key(self) -> None:
        """Make the key. Raises ``SecretsError`` where secrets or recipients stand without one: they are somebody's."""
        path, line = self.folder / _KEY, self.folder / FILE
        if path.exists() and line.exists():
            return
        with file.locked(self.folder):
            others = [] if path.exists() else sorted({*self.folder.glob("*.toml"), *self.folder.glob(f"{FILE}*")})
            if others:
                raise SecretsError(
                    f"secrets_generate is for throwaway hosts, but {others[0]} is there without a throwaway key, so it "
                    "is somebody's; set secrets_folder to a folder of its own, or remove what is in this one if nobody "
                    "needs it"
                )
            if not path.exists():
                file.write(path, f"{pyrage.x25519.Identity.generate()}\n", 0o600)
            if not line.exists():
                key = pyrage.x25519.Identity.from_str(path.read_text().strip())
                file.write(line, f"{Recipient(str(key.to_public()), 'a throwaway key').line}\n")
