"""The state of each secret for ``python -m settings``: told without a key, a question or a value."""

from __future__ import annotations

from settings.outline import Outline
from settings.secret import Secret
from settings.secrets.errors import SecretsError
from settings.store import MISSING, TO_BE_MADE, SecretStore

IN_THE_STORE = "in the store"
UNKNOWN = "not known"  # the store cannot be read, or the settings do not say where it is


class Offline(Outline):
    """An outline of a store to which a missing secret is a problem.

    + states: of the secrets that were asked for, by name and host
    """

    def __init__(self, store: SecretStore) -> None:
        super().__init__(store)
        self.states: dict[tuple[str, str], str] = {}

    def get(self, name: str, host: str | None = None) -> Secret | None:
        """Return a stand-in for the secret NAME of HOST, and note whether there is one."""
        stand_in = super().get(name, host)
        try:
            origin = self.origin(name, host) if self.placed else UNKNOWN
        except SecretsError:  # the file cannot be read, which is one problem among others
            origin = UNKNOWN
        self.states[name, host or ""] = origin if origin in (MISSING, TO_BE_MADE, UNKNOWN) else IN_THE_STORE
        if origin == MISSING:
            self.problems.append(self.missing(self.place(name, host)))
        return stand_in
