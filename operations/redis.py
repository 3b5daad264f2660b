"""Keep what Redis holds."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import QuoteString, StringCommand, operation

from facts.redis import CONNECT, Unwritten

_SECONDS = 600  # in which Redis must have written its data
# Where Redis' own folder is another one, its new file would not be found there, and Redis lets nobody change that.
_APPEND = (
    CONNECT
    + r"""
import os, time
path, folder, seconds = sys.argv[1:]
redis = Redis(options(path))
now = redis.ask("CONFIG", "GET", "dir")[1]
if os.path.realpath(now) != folder:
    sys.exit("Redis has its data in %s, and would start without them in %s: set dir there, restart it, run again" % (now, folder))
redis.ask("CONFIG", "SET", "appendonly", "yes")
end = time.monotonic() + int(seconds)
while True:
    said = dict(re.findall(r"^(\w+):(.*?)\r?$", redis.ask("INFO", "persistence"), re.M))
    if said["aof_rewrite_in_progress"] == said["aof_rewrite_scheduled"] == "0":
        break
    if time.monotonic() > end:
        sys.exit("Redis did not write its data in %s seconds" % seconds)
    time.sleep(0.2)
if said["aof_last_bgrewrite_status"] != "ok":
    redis.ask("CONFIG", "SET", "appendonly", "no")
    sys.exit("Redis could not write its data; see /var/log/redis/redis-server.log")
"""  # noqa: E501
)


@operation()
def append_only(path: str, folder: str) -> Generator[StringCommand, None, None]:
    """Have a running Redis that keeps its data otherwise write them to its append-only file.

    + path: of its configuration
    + folder: in which the file will be looked for

    Redis reads nothing else once its configuration says ``appendonly yes``: started with it, it would be empty
    (https://redis.io/docs, "Redis persistence").
    """
    keys = host.get_fact(Unwritten, path=path)
    if not keys:
        host.noop("Redis would lose nothing")
        return
    arguments = map(QuoteString, (path, folder, str(_SECONDS)))
    yield StringCommand("python3 -I -c", QuoteString(_APPEND), *arguments)
