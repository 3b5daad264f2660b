"""Redis: CKAN's job queues and caches."""

from __future__ import annotations

from pyinfra.api.deploy import deploy
from pyinfra.api.hiddenvalue import HiddenValue

from operations import apt, files, service
from operations import redis as redis_operations
from operations.text import render
from settings.redis import RedisSettings

_CONFIGURATION = "/etc/redis/redis.conf"
_DROP_IN = "/etc/systemd/system/redis-server.service.d"


@deploy("Redis")
def redis(settings: RedisSettings) -> None:
    """Install Redis, which keeps its data over restarts and refuses writes when it is full."""
    apt.packages(name="Install Redis", packages=["redis-server"])
    files.directory(name="Make Redis' drop-in folder", path=_DROP_IN)
    files.install(
        name="Start Redis after the network",
        dest=f"{_DROP_IN}/ckan-deploy.conf",
        text=render("systemd/after-network.conf.j2"),
    )
    redis_operations.append_only(
        name="Have Redis write what it holds to its append-only file", path=_CONFIGURATION, folder="/var/lib/redis"
    )
    files.install(
        name="Configure Redis",
        dest=_CONFIGURATION,  # whole file: the distribution's includes no conf.d
        text=render(
            "redis/redis.conf.j2",
            settings,
            private=True,
            # A host without IPv6 has no ::1; "-" makes that no error.
            bind=" ".join("-::1" if address == "::1" else address for address in settings.bind),
            password=_password(settings.password),
        ),
        owner="redis",
        group="redis",
        mode=0o640,
    )
    service.follow(name="Run Redis with its newest configuration", unit="redis-server.service", reads=["/etc/redis"])


def _password(secret: HiddenValue) -> HiddenValue:
    """Return the rule that gives a user the password SECRET, as one quoted word of redis.conf."""
    word = secret.unmask().replace("\\", "\\\\").replace('"', '\\"')
    return HiddenValue(f'">{word}"')  # type: ignore[no-untyped-call]
