"""Settings of the component redis."""

from __future__ import annotations

from typing import ClassVar

from settings.component import Component, configured, derived, secret
from settings.secret import Secret


class RedisSettings(Component):
    """Redis: CKAN's job queues and caches."""

    prefix: ClassVar[str] = "redis"
    group: ClassVar[str] = "redis"

    port: int = configured(6379, "TCP port", ge=1024, le=65535)
    maxmemory: str = configured(
        "256mb",
        "Memory for data; more is refused",
        allowed="a size in kb, mb or gb",
        pattern=r"^[1-9][0-9]*(kb|mb|gb)$",
    )
    bind: tuple[str, ...] = derived(
        "Addresses to listen on", "loopback, and the host's address where the portal is another host", "address groups"
    )
    password: Secret = secret(
        "Of Redis' only user, ckan: who can put jobs into its queues has them run as CKAN's account",
        rotation="The next run restarts Redis with the new password (it keeps its data), then writes ckan.ini and "
        "restarts CKAN. In between CKAN gets no answer from Redis: background jobs cannot be queued, and pages may "
        "fail, for the time of the run's steps between them and of one start of CKAN.",
    )
    clients: tuple[str, ...] = derived(
        "Addresses of the other hosts that use it", "the portal's address where that is another host", "address groups"
    )
