"""Secrets made by chance, and the throwaway key of an environment that makes its own (the lab)."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from pathlib import Path

import pyrage

from settings.component import ALPHABET, SecretSpec
from settings.host import secrets_declared
from settings.secret import Secret
from settings.secrets import file
from settings.secrets.identity import Identities
from settings.secrets.recipients import FILE, Recipient
from settings.secrets.sealed import Place
from settings.secrets.vault import Vault


def spec_of(name: str) -> SecretSpec:
    """Return what the schema says of the secret NAME; of one that no component declares: a long one may be made."""
    return secrets_declared().get(name) or SecretSpec(name, "", "Nothing needs it.", True, 43, ALPHABET)


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
        super().__init__(folder, environment, Identities(folder / "identity"), inventory)

    def make(self, *places: Place) -> None:
        """Make those of the secrets in PLACES that are missing, whether or not a person should give them."""
        with file.locked(self.folder):
            if not (self.folder / "identity").exists():
                key = pyrage.x25519.Identity.generate()
                line = Recipient(str(key.to_public()), "a throwaway key").line
                self.path.unlink(missing_ok=True)  # its key is lost, if there was one
                file.write(self.folder / FILE, f"{line}\n")
                file.write(self.folder / "identity", f"{key}\n", 0o600)
        fill(self, places)
