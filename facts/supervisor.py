"""Facts about supervisor's programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value

# Asked over supervisor's own socket: its command line tool waits where it should only tell. Starts come from
# /proc, since supervisor's times are whole seconds.
CONNECT = """
import json, os, subprocess, sys, time
def supervisor():
    from supervisor.xmlrpc import SupervisorTransport
    from xmlrpc.client import ServerProxy
    socket = "unix:///var/run/supervisor.sock"
    return ServerProxy("http://127.0.0.1", transport=SupervisorTransport(None, None, socket)).supervisor
"""
_STATE = (
    CONNECT
    + """
def started(pid):
    try:
        ticks = int(open("/proc/%d/stat" % pid).read().rpartition(")")[2].split()[19])
    except (OSError, IndexError):
        return None
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
def changes(paths):
    for path in paths:
        for found in [path] + [os.path.join(r, n) for r, ds, fs in os.walk(path) for n in ds + fs]:
            try:
                s = os.lstat(found)
            except OSError:
                continue
            yield max(s.st_mtime, s.st_ctime)
reads = sys.argv[2:]
answer = {"running": False, "processes": [], "newest": max(changes(reads), default=None)}
def processes():
    # Its unit is active before its socket answers.
    for attempt in range(60):
        try:
            return supervisor().getAllProcessInfo()
        except OSError:
            if subprocess.call(["systemctl", "is-active", "--quiet", "supervisor.service"]):
                raise
            time.sleep(0.5)
    raise OSError
try:
    for p in processes():
        if p["group"] == sys.argv[1]:
            answer["processes"].append({"name": p["name"], "state": p["statename"], "pid": p["pid"], "started": started(p["pid"])})
    answer["running"] = True
except (ImportError, OSError):
    pass
print(json.dumps(answer))
"""  # noqa: E501
)


def configuration_path(program: str) -> str:
    """Path of the file that holds PROGRAM's configuration."""
    return f"/etc/supervisor/conf.d/{program}.conf"


@dataclass(frozen=True)
class ProcessState(Value):
    """One process of a program; ``state`` is supervisor's word, ``started`` seconds since the epoch."""

    name: str
    state: str
    pid: int
    started: float | None


@dataclass(frozen=True)
class ProgramState(Value):
    """A program: whether supervisor answers, its processes, and the newest change of what they read."""

    supervisor_running: bool = False
    processes: tuple[ProcessState, ...] = ()
    newest: float | None = None


class Program(FactBase[ProgramState]):
    """The processes of a supervisor program and how fresh they are.

    + program: its name, as in ``[program:…]``
    + reads: files and folders that it reads, besides its own configuration
    """

    @override
    def command(self, program: str, reads: Sequence[str] = ()) -> StringCommand:
        """Build the one command of this fact."""
        arguments = (program, configuration_path(program), *reads)
        return StringCommand("python3 -c", QuoteString(_STATE), *map(QuoteString, arguments))

    @override
    def requires_command(self, program: str, reads: Sequence[str] = ()) -> str:
        """Python, which every supported release has."""
        return "python3"

    @staticmethod
    @override
    def default() -> ProgramState:
        """Supervisor is not there."""
        return ProgramState()

    @override
    def process(self, output: list[str]) -> ProgramState:
        """Parse the JSON line; raises ``FactProcessError`` with the output shown."""
        try:
            answer = json.loads(output[-1])
            processes = tuple(ProcessState(**process) for process in answer["processes"])
            return ProgramState(answer["running"], processes, answer["newest"])
        except (KeyError, TypeError, ValueError):
            raise FactProcessError(f"supervisor answered what is not understood: {output!r}") from None
