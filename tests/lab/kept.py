"""The secrets of the lab's portal, out of the store that the product made for it."""

from __future__ import annotations

from lab import state
from settings.secrets.identity import Identities
from settings.secrets.vault import Vault

ENVIRONMENT = "lab"  # the inventory's file name, of the variants' too


def secrets() -> dict[str, str]:
    """All secrets by their names."""
    folder = state.secrets_path()
    vault = Vault(folder, ENVIRONMENT, Identities(folder / "identity"))
    return {place.name: secret.unmask() for place, secret in vault.open_all().items()}


def secret(name: str) -> str:
    """One secret; it must have been made."""
    return secrets()[name]
