"""Run programs under supervisor."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from pyinfra import host
from pyinfra.api import OperationError, OperationValueError, QuoteString, StringCommand, operation

from facts.files import Managed, leftover_path
from facts.supervisor import CONNECT, Programs, ProgramsState, configuration_path
from operations import files, foresight

# STARTING is pending, not failed: whether the program is well is smoke's business.
_FRESH_STATES = {"RUNNING", "STARTING"}

# All programs are asked to stop at once, so that the longest time that one of them takes is waited for, not the sum.
# A worker's job is a process in a session of its own: when supervisor kills a worker that took too long, the job lives
# on without it, with the code that is about to be replaced. So what belonged to the programs is ended, too.
_STOP = """
from xmlrpc.client import Fault
def since(pid):
    with open("/proc/%d/stat" % pid) as file:
        fields = file.read().rpartition(")")[2].split()
    return int(fields[1]), fields[19]
def children(family):
    known = {pid for pid, _ in family}
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            found[int(name)] = since(int(name))
        except OSError:
            continue
    while True:
        more = {(pid, began) for pid, (parent, began) in found.items() if parent in known} - family
        if not more:
            return family
        family |= more
        known |= {pid for pid, _ in more}
def stop(s, programs, locks=()):
    of = lambda: [p for p in s.getAllProcessInfo() if p["group"] in programs]
    family = set()
    for program in programs:
        s.stopProcessGroup(program, False)
    while True:
        left = [p for p in of() if p["statename"] in ("RUNNING", "STARTING", "STOPPING", "BACKOFF")]
        for pid in [p["pid"] for p in left if p["pid"]]:
            try:
                family.add((pid, since(pid)[1]))
            except OSError:
                pass
        family = children(family)
        if not left:
            break
        time.sleep(0.1)
    killed = False
    for pid, began in family:
        try:
            if since(pid)[1] == began:
                os.kill(pid, 9)
                killed = True
        except OSError:
            pass
    for folder in locks if killed else ():
        try:
            fd = os.open(folder, os.O_DIRECTORY | os.O_NOFOLLOW)  # in /tmp anybody may have laid a link
        except OSError:
            continue
        for name in os.listdir(fd):
            try:
                os.unlink(name, dir_fd=fd)
            except OSError:  # a folder, or gone meanwhile
                pass
def reload(s):
    try:
        return s.reloadConfig()[0]
    except Fault as fault:
        sys.exit("supervisor refuses its configuration: " + fault.faultString)
"""

# Starting does not wait for startsecs.
_FOLLOW = (
    CONNECT
    + _STOP
    + """
locks, programs, s = sys.argv[1].split(), sys.argv[2:], supervisor()
added, changed, removed = reload(s)
stop(s, [p for p in programs if p not in added], locks)
for program in programs:
    if program in changed + removed:
        s.removeProcessGroup(program)
    if program in added + changed:
        s.addProcessGroup(program)
    elif program not in removed:
        s.startProcessGroup(program, False)
"""
)

_ABSENT = (
    CONNECT
    + _STOP
    + """
program, paths = sys.argv[1], sys.argv[2:]
for path in paths:
    if os.path.lexists(path):
        os.remove(path)
try:
    s = supervisor()
    there = any(p["group"] == program for p in s.getAllProcessInfo())
except (ImportError, OSError):
    if not subprocess.call(["systemctl", "is-active", "--quiet", "supervisor.service"]):
        sys.exit("supervisor does not answer, so that " + program + " cannot be stopped; see `journalctl -u supervisor`")
    there = False
if there:
    if program not in reload(s)[2]:
        sys.exit("supervisor knows " + program + " from another file than " + paths[0] + "; remove it there")
    stop(s, [program])
    s.removeProcessGroup(program)
"""  # noqa: E501
)


@operation()
def program(
    program: str,
    command: str,
    user: str,
    environment: Mapping[str, str],
    logs: str,
    processes: int = 1,
    startsecs: int = 10,
    stopwaitsecs: int = 60,
) -> Generator[StringCommand, None, None]:
    """Write a program's configuration; ``follow`` makes supervisor run it.

    + program: its name
    + command: absolute command line; ``%`` is doubled for supervisor
    + user: who runs it
    + environment: variables for it
    + logs: folder, which exists, of its log ``PROGRAM.log``: both outputs; logrotate cuts it, not supervisor, which
      would make it root's own (``dcor inspect`` wants it to be CKAN's)
    + processes: how many of it run; ``absent`` is for none
    + startsecs: seconds that it must run to count as started
    + stopwaitsecs: seconds that it has to end before it is killed
    """
    if processes < 1:
        raise OperationValueError(f"{processes} processes of {program}: for none at all there is supervisor.absent")
    variables = ",".join(f'{name}="{value.replace("%", "%%")}"' for name, value in sorted(environment.items()))
    text = f"""\
; Written by ckan-deploy: changes made here are undone by the next run.
[program:{program}]
command={command.replace("%", "%%")}
process_name=%(program_name)s-%(process_num)02d
numprocs={processes}
user={user}
environment={variables}
redirect_stderr=true
stdout_logfile={logs}/{program}.log
stdout_logfile_maxbytes=0
autostart=true
autorestart=true
startsecs={startsecs}
stopwaitsecs={stopwaitsecs}
"""
    # Of an operation that changes something pyinfra prepares no more than the first command: what others must foresee
    # comes first.
    yield from files.install._inner(dest=configuration_path(program), text=text)
    yield from files.log._inner(path=f"{logs}/{program}.log", owner="www-data", group="adm")


@operation()
def follow(
    programs: Sequence[str], reads: Sequence[str] = (), locks: Sequence[str] = ()
) -> Generator[StringCommand, None, None]:
    """Have programs run with the newest state of their configuration and of what they read.

    + programs: their names; ``program()`` wrote their configuration
    + reads: files and folders that the processes of all of them read (code, environment, ini files)
    + locks: folders without blanks of lock files, which a process that is killed leaves: they are emptied then

    A program is restarted when one of its processes is not up, or is older than the newest change; byte code and logs
    are no change. Raises ``OperationError`` in execution when supervisor does not answer.
    """
    if not programs:
        host.noop("there are no programs")
        return
    current = host.get_fact(Programs, programs=tuple(programs), reads=tuple(reads))
    files = {program: (configuration_path(program), *reads) for program in programs}
    stale = [
        program
        for program in programs
        if not foresight.started_since_touched("supervisor.service", *files[program])
        and (
            foresight.started("supervisor.service")
            or not _fresh(current, program)
            or foresight.touched(*files[program])
        )
    ]
    if not current.supervisor_running and not foresight.preparing():
        raise OperationError(
            f"supervisor does not answer on {host.name}, so {', '.join(stale)} cannot be started; "
            "see `journalctl -u supervisor` there"
        )
    if not stale:
        by_itself = foresight.started("supervisor.service")
        says = "will be started by supervisor's own start" if by_itself else "run with their newest configuration"
        host.noop(f"{', '.join(programs)} {says}")
        return
    foresight.will_start(*stale)
    yield StringCommand("python3 -c", QuoteString(_FOLLOW), *map(QuoteString, (" ".join(locks), *stale)))


@operation()
def absent(program: str, package: str = "") -> Generator[StringCommand, None, None]:
    """Stop a program and remove its configuration; its logs stay.

    + program: its name
    + package: name of the package that brings its configuration, where one does: then the plan knows that there will
      be something to remove once an earlier operation has installed it for the first time

    What supervisor still runs although the file is gone is stopped, too: a run may have been killed in between.
    """
    path = configuration_path(program)
    managed = host.get_fact(Managed, path=path)
    runs = bool(host.get_fact(Programs, programs=(program,), reads=()).processes)
    runs = runs and not foresight.started("supervisor.service")
    if managed.state is None and not managed.leftover and not runs and not (package and foresight.set_up(package)):
        host.noop(f"there is no {program}")
        return
    foresight.will_touch(path)
    leftover = leftover_path(path)
    yield StringCommand("python3 -c", QuoteString(_ABSENT), *map(QuoteString, (program, path, leftover)))


def _fresh(current: ProgramsState, program: str) -> bool:
    """Whether all processes of PROGRAM are up, and younger than what they run with."""
    processes, changed = current.of(program), current.changed(program)
    return bool(processes) and all(
        process.state in _FRESH_STATES and (process.started is None or changed is None or process.started >= changed)
        for process in processes
    )
