"""Facts about CKAN's background jobs that wait, and in which Redis; never its password."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pyinfra.api import FactBase, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.sent import LOCATION, in_environment
from facts.value import Value

_QUEUE = (
    LOCATION
    + r"""
import configparser, json, sys
answer = {"location": "", "jobs": None}
try:
    parser = configparser.RawConfigParser(strict=False)
    parser.read(sys.argv[1])
    url = parser.get("app:main", "ckan.redis.url").replace("%%", "%")
    answer["location"] = location(url, 6379, "/0")
    if answer["location"] != sys.argv[2]:
        import redis
        client = redis.from_url(url, socket_timeout=10, socket_connect_timeout=10)
        answer["jobs"] = sum(client.llen(key) for key in client.scan_iter("rq:queue:*"))
except Exception:
    pass
print(json.dumps(answer))
"""
)


@dataclass(frozen=True)
class QueueState(Value):
    """``location``: host, port and number ("127.0.0.1:6379/0") of the Redis that a ckan.ini names, "" where none does.

    ``jobs``: how many wait there; None where it was not asked, or does not answer.
    """

    location: str = ""
    jobs: int | None = None


class Queue(FactBase[QueueState]):
    """The jobs that wait in the Redis of a ckan.ini, where that is another one than is wanted.

    + path: of CKAN's virtual environment, whose client asks
    + ini: path of ckan.ini
    + wanted: location of the Redis that CKAN is to use
    """

    @override
    def command(self, path: str, ini: str, wanted: str) -> StringCommand:
        """Build the one command of this fact; without an environment it prints nothing."""
        return in_environment(path, _QUEUE, ini, wanted)

    @staticmethod
    @override
    def default() -> QueueState:
        """There is no CKAN that could ask."""
        return QueueState()

    @override
    def process(self, output: list[str]) -> QueueState:
        """Parse the JSON line; raises ``FactProcessError`` with the output shown."""
        try:
            return QueueState(**json.loads(output[-1]))
        except (IndexError, TypeError, ValueError):
            raise FactProcessError(f"which jobs wait is not understood: {output!r}") from None
