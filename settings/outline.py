"""The store of secrets, closed: which secrets an inventory needs, and whether they are there, without opening one."""

from __future__ import annotations

from collections.abc import Callable

from pydantic import ValidationError
from pyinfra.api.exceptions import PyinfraError

from settings.secret import Secret
from settings.secrets.errors import SecretsError
from settings.secrets.form import spec_of
from settings.secrets.sealed import Place
from settings.store import SecretStore

Resolve = Callable[[SecretStore], object]


class Outline(SecretStore):
    """Gives a stand-in for each secret, and notes what was asked for.

    Settings that resolve with it are offline in every sense: no key, no passphrase. A missing secret is no problem of
    it, but in ``missing_places``.

    + wanted: whether the secret in each place that was asked for is there
    """

    def __init__(self, store: SecretStore) -> None:
        self.generate, self.placed, self.vault, self.given = store.generate, store.placed, store.vault, store.given
        self.problems: list[str] = []
        self.wanted: dict[Place, bool] = {}
        self.wrong_settings: list[str] = []

    @classmethod
    def of(cls, store: SecretStore, resolve: Resolve) -> Outline:
        """Return what RESOLVE, which resolves the settings with the store that it is given, asks STORE for.

        ``wrong_settings`` says what is wrong with the settings otherwise: more may be needed then.
        """
        outline = cls(store)
        try:
            resolve(outline)
        except (PyinfraError, ValidationError) as error:
            outline.wrong_settings = getattr(error, "problems", [str(error)])
        return outline

    def get(self, name: str, host: str | None = None) -> Secret | None:
        """Return a stand-in for the secret NAME."""
        try:
            if self.placed:
                self.wanted[self.place(name, host)] = self.has(name, host)
        except SecretsError as error:
            if str(error) not in self.problems:
                self.problems.append(str(error))
        spec = spec_of(name)
        return Secret(spec.stand_in or "0" * spec.length)

    @property
    def missing_places(self) -> list[Place]:
        """Where secrets are missing, in order."""
        return sorted(place for place, there in self.wanted.items() if not there)
