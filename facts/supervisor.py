"""Facts about supervisor's programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.systemd import AHEAD
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
def times_of(path):
    try:
        s = os.lstat(path)
    except OSError:
        return []
    return [(s.st_mtime, path), (s.st_ctime, path)]
# Byte code, logs and git's own files come by themselves and are no news. So the time of a folder that has byte code
# tells nothing either; what is new in it has its own time. Of other folders the time at which something came or went
# counts, not that of their owner and mode.
def times_below(path):
    yield from times_of(path)
    for folder, folders, files in os.walk(path):
        if "__pycache__" not in folders and os.path.isdir(folder):
            yield os.stat(folder).st_mtime, folder
        folders[:] = [name for name in folders if name not in ("__pycache__", ".git")]
        for name in files:
            if not name.endswith((".pyc", ".log")):
                yield from times_of(os.path.join(folder, name))
        for name in folders:
            if os.path.islink(os.path.join(folder, name)):
                yield from times_of(os.path.join(folder, name))
programs, reads = json.loads(sys.argv[1]), json.loads(sys.argv[2])
configured = {p: times_of(path) for p, path in programs.items()}
read = [found for path in reads for found in times_below(path)]
# Of times in the future none is a change: see facts/systemd.py. The clock is read last.
now = time.time()
def newest(times):
    return max((at for at, path in times if at <= now), default=None)
ahead = sorted((found for found in sum(configured.values(), read) if found[0] > now), reverse=True)
answer = {"running": False, "processes": [], "configured": {p: newest(times) for p, times in configured.items()}}
answer["newest"], answer["ahead"] = newest(read), list(dict.fromkeys(path for at, path in ahead))[:AHEAD]
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
        if p["group"] in programs:
            found = {"program": p["group"], "name": p["name"], "state": p["statename"], "pid": p["pid"]}
            answer["processes"].append({**found, "started": started(p["pid"])})
    answer["running"] = True
except (ImportError, OSError):
    pass
print(json.dumps(answer))
""".replace("AHEAD", str(AHEAD))
)


def configuration_path(program: str) -> str:
    """Path of the file that holds PROGRAM's configuration."""
    return f"/etc/supervisor/conf.d/{program}.conf"


@dataclass(frozen=True)
class ProcessState(Value):
    """One process of a program; ``state`` is supervisor's word, ``started`` seconds since the epoch."""

    program: str
    name: str
    state: str
    pid: int
    started: float | None


@dataclass(frozen=True)
class ProgramsState(Value):
    """Programs: whether supervisor answers, their processes, and the newest change of what they read.

    ``configured``: when each program's own configuration was changed; None where there is none. Of times in the future
    none counts; ``ahead`` are paths that have one.
    """

    supervisor_running: bool = False
    processes: tuple[ProcessState, ...] = ()
    newest: float | None = None
    configured: dict[str, float | None] = field(default_factory=dict)
    ahead: tuple[str, ...] = ()

    def of(self, program: str) -> tuple[ProcessState, ...]:
        """Processes of PROGRAM; none where supervisor does not know it."""
        return tuple(process for process in self.processes if process.program == program)

    def changed(self, program: str) -> float | None:
        """When what PROGRAM runs with was changed last."""
        return max((time for time in (self.newest, self.configured.get(program)) if time is not None), default=None)


class Programs(FactBase[ProgramsState]):
    """The processes of supervisor programs and how fresh they are.

    + programs: their names, as in ``[program:…]``
    + reads: files and folders that all of them read, besides their own configuration
    """

    @override
    def command(self, programs: Sequence[str], reads: Sequence[str] = ()) -> StringCommand:
        """Build the one command of this fact."""
        arguments = ({program: configuration_path(program) for program in programs}, list(reads))
        return StringCommand("python3 -c", QuoteString(_STATE), *(QuoteString(json.dumps(a)) for a in arguments))

    @override
    def requires_command(self, programs: Sequence[str], reads: Sequence[str] = ()) -> str:
        """Python, which every supported release has."""
        return "python3"

    @staticmethod
    @override
    def default() -> ProgramsState:
        """Supervisor is not there."""
        return ProgramsState()

    @override
    def process(self, output: list[str]) -> ProgramsState:
        """Parse the JSON line; raises ``FactProcessError`` with the output shown."""
        try:
            answer = json.loads(output[-1])
            processes = tuple(ProcessState(**process) for process in answer["processes"])
            return ProgramsState(
                answer["running"], processes, answer["newest"], answer["configured"], tuple(answer["ahead"])
            )
        except (KeyError, TypeError, ValueError):
            raise FactProcessError(f"supervisor answered what is not understood: {output!r}") from None
