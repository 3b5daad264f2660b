"""A secret store that stays closed: it tells which secrets are there, without a key, a question or a value."""

from __future__ import annotations

import os
from typing import Any

from settings.secret import Secret
from settings.wanted import arguments

IN_THE_STORE = "in the store"
MISSING = "missing"
TO_BE_MADE = "made by the next run"


class Offline:
    """Stands for STORE. Each secret has a stand-in, so that all else resolves.

    + states: of the secrets that were asked for, by name
    + problems: a sentence for each that is missing
    """

    def __init__(self, store: Any) -> None:
        self.store = store
        self.states: dict[str, str] = {}
        self.problems: list[str] = []

    def get(self, name: str, host: str | None = None) -> Secret:
        """Return a stand-in for the secret NAME of HOST, and note whether there is one."""
        self.states[name] = self._state(name, host)
        if self.states[name] == MISSING:
            self.problems.append(self._missing(name, host))
        return Secret("stand-in")  # type: ignore[no-untyped-call]

    def origin(self, name: str, host: str | None = None) -> str:
        """Where the secret NAME of HOST is."""
        said = getattr(self.store, "origin", None)
        if said is not None:
            return str(said(*arguments(said, name, host)))
        variable = _variable(name)
        return f"environment variable {variable}" if os.environ.get(variable) else str(self.store.folder / name)

    def _state(self, name: str, host: str | None) -> str:
        has = getattr(self.store, "has", None)
        if has is not None:
            there = has(*arguments(has, name, host))
        else:
            there = bool(os.environ.get(_variable(name))) or (self.store.folder / name).is_file()
        if there:
            return IN_THE_STORE
        return TO_BE_MADE if self.store.generate else MISSING

    def _missing(self, name: str, host: str | None) -> str:
        """Say what the store itself says of a secret that is missing; a store that is asked for it may ask on."""
        if hasattr(self.store, "missing"):
            return str(self.store.missing(self.store.place(name, host)))
        return (
            f"the secret {name} is missing: set the environment variable {_variable(name)}, "
            f"or write it to {self.store.folder / name} (mode 0600)"
        )


def _variable(name: str) -> str:
    return f"CKAN_DEPLOY_SECRET_{name.upper()}"
