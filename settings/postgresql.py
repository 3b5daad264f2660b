"""Settings of the component postgresql."""

from __future__ import annotations

from typing import ClassVar

from pydantic import field_validator

from settings.component import Component, configured, derived, secret
from settings.secret import Secret


class PostgresqlSettings(Component):
    """PostgreSQL: CKAN's database."""

    prefix: ClassVar[str] = "postgresql"

    port: int = configured(5432, "TCP port", ge=1, le=65535)
    role: str = configured("ckan_default", "CKAN's role", pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    database: str = configured("ckan_default", "CKAN's database", pattern=r"^[a-z_][a-z0-9_]{0,62}$")
    password: Secret = secret("Password of CKAN's role")
    max_connections: int = configured(100, "Most connections at once", ge=20, le=5000)
    shared_buffers: str = configured("128MB", "Memory for its cache", pattern=r"^[0-9]+(kB|MB|GB)$")
    bind: tuple[str, ...] = derived("Addresses to listen on: loopback, and the host's where others need it")
    clients: tuple[str, ...] = derived("Addresses of the other hosts that use it")

    @field_validator("password")
    @classmethod
    def _ascii(cls, password: Secret) -> Secret:
        text: str = password.unmask()
        if not text or not all(" " <= character <= "~" for character in text):
            raise ValueError("must be of printable ASCII characters, and not empty")
        return password
