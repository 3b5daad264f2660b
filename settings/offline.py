"""The state of each secret for ``python -m settings``: told without a key, a question or a value."""

from __future__ import annotations

from settings.outline import Outline
from settings.secret import Secret
from settings.store import MISSING, TO_BE_MADE, SecretStore

IN_THE_STORE = "in the store"


class Offline(Outline):
    """An outline of a store to which a missing secret is a problem.

    + states: of the secrets that were asked for, by name
    """

    def __init__(self, store: SecretStore) -> None:
        super().__init__(store)
        self.states: dict[str, str] = {}

    def get(self, name: str, host: str | None = None) -> Secret | None:
        """Return a stand-in for the secret NAME of HOST, and note whether there is one."""
        stand_in = super().get(name, host)
        origin = self.origin(name, host)
        self.states[name] = origin if origin in (MISSING, TO_BE_MADE) else IN_THE_STORE
        if origin == MISSING:
            self.problems.append(self.missing(self.place(name, host)))
        return stand_in
