"""Run programs under supervisor."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence

from pyinfra import host
from pyinfra.api import OperationError, QuoteString, StringCommand, operation

from facts.supervisor import CONNECT, Program, configuration_path
from operations import files, foresight

# STARTING is pending, not failed: whether the program is well is smoke's business.
_FRESH_STATES = {"RUNNING", "STARTING"}

# Stopping waits until the processes are gone; starting does not wait for startsecs.
_FOLLOW = (
    CONNECT
    + """
from xmlrpc.client import Fault
program, s = sys.argv[1], supervisor()
try:
    added, changed, removed = s.reloadConfig()[0]
except Fault as fault:
    sys.exit("supervisor refuses its configuration: " + fault.faultString)
if program not in added:
    s.stopProcessGroup(program)
if program in changed + removed:
    s.removeProcessGroup(program)
if program in added + changed:
    s.addProcessGroup(program)
elif program not in removed:
    s.startProcessGroup(program, False)
"""
)


@operation()
def program(
    program: str,
    command: str,
    user: str,
    environment: Mapping[str, str],
    logs: str,
    startsecs: int = 10,
    stopwaitsecs: int = 60,
) -> Generator[StringCommand, None, None]:
    """Write a program's configuration; ``follow`` makes supervisor run it.

    + program: its name
    + command: absolute command line; ``%`` is doubled for supervisor
    + user: who runs it
    + environment: variables for it
    + logs: folder, which exists, of its log ``PROGRAM.log``: both outputs; logrotate cuts it, not supervisor
    + startsecs: seconds that it must run to count as started
    + stopwaitsecs: seconds that it has to end before it is killed
    """
    variables = ",".join(f'{name}="{value.replace("%", "%%")}"' for name, value in sorted(environment.items()))
    text = f"""\
; Written by ckan-deploy: changes made here are undone by the next run.
[program:{program}]
command={command.replace("%", "%%")}
process_name=%(program_name)s-%(process_num)02d
numprocs=1
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
def follow(program: str, reads: Sequence[str] = ()) -> Generator[StringCommand, None, None]:
    """Have a program run with the newest state of its configuration and of what it reads.

    + program: its name; ``program()`` wrote its configuration
    + reads: files and folders that its processes read (code, environment, ini files)

    It is restarted when one of its processes is not up, or is older than the newest change. Raises
    ``OperationError`` in execution when supervisor does not answer.
    """
    current = host.get_fact(Program, program=program, reads=tuple(reads))
    if foresight.started("supervisor.service"):
        host.noop(f"{program} will be started by supervisor's own start")
        return
    if not current.supervisor_running and not foresight.preparing():
        raise OperationError(
            f"supervisor does not answer on {host.name}, so {program} cannot be started; "
            "see `journalctl -u supervisor` there"
        )
    up = bool(current.processes) and all(
        process.state in _FRESH_STATES
        and (process.started is None or current.newest is None or process.started >= current.newest)
        for process in current.processes
    )
    if up and not foresight.touched(configuration_path(program), *reads):
        host.noop(f"{program} runs with its newest configuration")
        return
    foresight.will_start(program)
    yield StringCommand("python3 -c", QuoteString(_FOLLOW), QuoteString(program))
