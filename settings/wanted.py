"""Which secrets an inventory needs, each asked of the store once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from settings.host import secrets_declared
from settings.origin import Origin, Problem
from settings.rule import Unknown
from settings.secret import Secret
from settings.values import Values


class Store(Protocol):
    """What is used of a secret store; ``origin`` may be missing, and ``get`` may know no hosts."""

    problems: list[str]

    @property
    def get(self) -> Callable[..., Secret | None]:
        """Return a secret by its name, and its host."""


class Secrets:
    """The secrets that VALUES need, from STORE.

    + found: by name; None where one is missing or wrong, which the store's problems say
    """

    def __init__(self, values: Values, store: Store) -> None:
        self.values = values
        self.store = store
        self.found: dict[str, Secret | None] = {}
        self.hosts = dict(_needed(values))
        for name, host in self.hosts.items():
            self.found[name] = store.get(*arguments(store.get, name, host))

    def get(self, name: str) -> Secret | None:
        """Return the secret NAME; None where it is not needed, or missing."""
        return self.found.get(name)

    def origin(self, name: str) -> Origin:
        """Where the secret NAME comes from."""
        said: Any = getattr(self.store, "origin", None)
        place = said(*arguments(said, name, self.hosts.get(name))) if said else "the secret store"
        return Origin("store", str(place))

    def problems(self) -> list[Problem]:
        """Return what the store said of missing and wrong ones."""
        return [Problem(sentence) for sentence in self.store.problems]


def arguments(method: Callable[..., Any], *wanted: str | None) -> tuple[str | None, ...]:
    """Return those WANTED that METHOD takes: not every store has secrets of single hosts."""
    return wanted[: len(inspect.signature(method).parameters)]


def _needed(values: Values) -> Iterator[tuple[str, str]]:
    """Yield each secret that is needed, as far as that can be told, and the host that it is for."""

    def is_needed(name: str) -> bool:
        if name == "redis_password":  # on loopback it needs none
            return values.host_of(name) != values.host_of("portal_fqdn")
        switch = {"ckan_smtp_password": "ckan_smtp_user", "ckan_sysadmin_password": "ckan_sysadmin"}.get(name)
        if switch is None:
            return True
        picked = values.picked[values.host_of(switch)].get(switch)
        return bool(picked and picked.value)  # right or wrong

    for name in secrets_declared():
        try:
            if is_needed(name):
                yield name, values.host_of(name)
        except Unknown:  # the groups are wrong
            continue
