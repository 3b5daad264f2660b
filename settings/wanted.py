"""Which secrets an inventory needs, each asked of the store once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from settings.host import secrets_declared
from settings.origin import Origin, Problem
from settings.rule import Unknown
from settings.secret import Secret
from settings.secrets.errors import SecretsError
from settings.values import Values


class Store(Protocol):
    """What is used of a secret store."""

    problems: list[str]

    def get(self, name: str, host: str | None = None) -> Secret | None:
        """Return a secret by its name, for a host."""

    def origin(self, name: str, host: str | None = None) -> str:
        """Say where it comes from."""


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
            self.found[name] = store.get(name, host)

    def get(self, name: str) -> Secret | None:
        """Return the secret NAME; None where it is not needed, or missing."""
        return self.found.get(name)

    def origin(self, name: str) -> Origin:
        """Where the secret NAME comes from."""
        try:
            return Origin("store", self.store.origin(name, self.hosts.get(name)))
        except SecretsError:  # which is a problem already
            return Origin("store", "the secret store")

    def problems(self) -> list[Problem]:
        """Return what the store said of missing and wrong ones."""
        return [Problem(sentence) for sentence in self.store.problems]


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
