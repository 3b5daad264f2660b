"""Which secrets an inventory needs, each asked of the store once for each host that it is for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from settings.host import secrets_declared
from settings.origin import Origin, Problem
from settings.rule import Unknown
from settings.secret import Secret
from settings.secrets.errors import SecretsError
from settings.store import unknown_variables
from settings.values import Values

# Secrets that are needed only where another setting is given.
_SWITCHES = {
    "ckan_api_token_secret": "ckan_api_token_own_secret",
    "ckan_smtp_password": "ckan_smtp_user",
    "ckan_sysadmin_password": "ckan_sysadmin",
}


class Store(Protocol):
    """What is used of a secret store."""

    problems: list[str]

    def get(self, name: str, host: str | None = None) -> Secret | None:
        """Return a secret by its name, for a host."""

    def origin(self, name: str, host: str | None = None) -> str:
        """Say where it comes from."""


class Secrets:
    """The secrets that VALUES need, from STORE.

    + hosts: by name those that need it: the one that has its component, or several where all have that
    + found: by name and host; None where one is missing or wrong, which the store's problems say
    """

    def __init__(self, values: Values, store: Store) -> None:
        self.values = values
        self.store = store
        self.hosts: dict[str, tuple[str, ...]] = {}
        self.found: dict[tuple[str, str], Secret | None] = {}
        for name, host in _needed(values):
            self.hosts[name] = (*self.hosts.get(name, ()), host)
            self.found[name, host] = store.get(name, host)

    def get(self, name: str, host: str = "") -> Secret | None:
        """Return the secret NAME for HOST, by default for the first that needs it; None where it is missing."""
        return self.found.get((name, self._host(name, host)))

    def origin(self, name: str, host: str = "") -> Origin:
        """Where the secret NAME for HOST, by default for the first that needs it, comes from."""
        try:
            return Origin("store", self.store.origin(name, self._host(name, host)))
        except SecretsError:  # which is a problem already
            return Origin("store", "the secret store")

    def problems(self) -> list[Problem]:
        """Return what the store said of missing and wrong ones, and variables that give none."""
        return [Problem(sentence) for sentence in (*self.store.problems, *unknown_variables())]

    def _host(self, name: str, host: str) -> str:
        return host or next(iter(self.hosts.get(name, ())), "")


def _needed(values: Values) -> Iterator[tuple[str, str]]:
    """Yield each secret that is needed, as far as that can be told, and the host that it is for."""

    def is_needed(name: str) -> bool:
        if name == "minio_tls_key" and values.host_of(name) == values.host_of("portal_fqdn"):
            return False  # it shows the portal's certificate there
        if name.startswith(("minio_", "object_storage_")):  # of the one kind, or of the other
            is_ours = bool(values.members("object_storage"))
            return values["portal_flavour"] == "dcor" and is_ours == name.startswith("minio_")
        if name == "tls_key":
            source = values.picked[values.host_of(name)].get("tls_source")
            return bool(source and source.value == "provided")
        switch = _SWITCHES.get(name)
        return switch is None or is_given(values.host_of(switch), switch)

    def is_given(host: str, name: str) -> bool:
        picked = values.picked[host].get(name)
        return bool(picked and picked.value)  # right or wrong

    for name in secrets_declared():
        if name == "patching_smtp_password":  # each host sends its own mail, and may have a password of its own
            yield from ((name, host) for host in values.hosts() if is_given(host, "patching_smtp_user"))
            continue
        try:
            if is_needed(name):
                yield name, values.host_of(name)
        except Unknown:  # the groups are wrong
            continue
