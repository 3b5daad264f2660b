"""Run programs under supervisor."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from pyinfra import host
from pyinfra.api import OperationError, OperationValueError, QuoteString, StringCommand, operation

from facts.files import Managed, leftover_path
from facts.supervisor import Programs, ProgramsState, configuration_path
from operations import announce, clock, files, foresight
from operations.kept import KEEP_ONE
from operations.supervisor_control import ABSENT, FOLLOW

# STARTING is pending, not failed: whether the program is well is smoke's business.
_FRESH_STATES = {"RUNNING", "STARTING"}


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
    + logs: folder, which exists, of its log ``PROGRAM.log``: both outputs. Supervisor opens it as root, also through a
      link: so nobody but root can write to the folder. Logrotate cuts it, not supervisor
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
    yield from files.install._inner(dest=configuration_path(program), text=text)


@operation()
def follow(
    programs: Sequence[str], reads: Sequence[str] = (), locks: Sequence[str] = ()
) -> Generator[StringCommand, None, None]:
    """Have programs run with the newest state of their configuration and of what they read.

    + programs: their names; ``program()`` wrote their configuration
    + reads: files and folders that the processes of all of them read (code, environment, ini files)
    + locks: folders without blanks of lock files, which a process that is killed leaves: they are emptied then

    A program is restarted when one of its processes is not up, or is older than the newest change; byte code and logs
    are no change, nor is a time in the future, which is warned of. Raises ``OperationError`` in execution when
    supervisor does not answer.
    """
    if not programs:
        host.noop("there are no programs")
        return
    current = host.get_fact(Programs, programs=tuple(programs), reads=tuple(reads))
    clock.say_ahead(current.ahead, " and ".join(programs))
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
    by_itself = foresight.started("supervisor.service")
    up = [program for program in programs if any(process.state in _FRESH_STATES for process in current.of(program))]
    announce.restarts(*(program for program in up if by_itself or program in stale))
    if not stale:
        says = "will be started by supervisor's own start" if by_itself else "run with their newest configuration"
        host.noop(f"{', '.join(programs)} {says}")
        return
    foresight.will_start(*stale)
    yield StringCommand("python3 -c", QuoteString(FOLLOW), *map(QuoteString, (" ".join(locks), *stale)))


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
    yield files.script(KEEP_ONE, path)
    yield StringCommand("python3 -c", QuoteString(ABSENT), *map(QuoteString, (program, path, leftover)))


def _fresh(current: ProgramsState, program: str) -> bool:
    """Whether all processes of PROGRAM are up, and younger than what they run with."""
    processes, changed = current.of(program), current.changed(program)
    return bool(processes) and all(
        process.state in _FRESH_STATES and (process.started is None or changed is None or process.started >= changed)
        for process in processes
    )
