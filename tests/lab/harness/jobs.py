"""Background jobs of a lab's portal, and what systemd says of it."""

from __future__ import annotations

import time
from collections.abc import Callable

from lab import inside
from tests.lab.harness.portal_host import NAME

# Enqueues time.sleep, or a wait for a file, for the worker of the default queue, or asks for the state of such a job.
_SLEEP = """
import configparser, sys, redis, rq
parser = configparser.RawConfigParser(strict=False)
parser.read("/etc/ckan/default/ckan.ini")
r = redis.Redis.from_url(parser.get("app:main", "ckan.redis.url").replace("%%", "%"))
queue = rq.Queue("ckan:default:default", connection=r)
if sys.argv[1] == "begin":
    print(queue.enqueue("time.sleep", float(sys.argv[2])).id)
elif sys.argv[1] == "until":
    print(queue.enqueue("subprocess.check_call", ["sh", "-c", f"until [ -e {sys.argv[2]} ]; do sleep 0.2; done"]).id)
else:
    print(rq.job.Job.fetch(sys.argv[2], connection=r).get_status())
"""


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.2)


def sleep(*arguments: str) -> str:
    return inside.run(NAME, ["/usr/lib/ckan/default/bin/python", "-c", _SLEEP, *arguments]).stdout.strip()


def horses() -> list[str]:
    """Processes that do a job: children of workers, in sessions of their own."""
    found = inside.run(NAME, ["ps", "-eo", "pid=,sid=,args="]).stdout.splitlines()
    lines = [line.split(None, 2) for line in found if "jobs worker" in line]
    return [pid for pid, session, _ in lines if pid == session]


def property_of(unit: str, name: str) -> str:
    return inside.run(NAME, ["systemctl", "show", "--value", "-p", name, unit]).stdout.strip()
