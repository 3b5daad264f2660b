"""Connect to hosts, or say in one sentence for each that cannot be reached what is wrong, where, and what to do.

In place of pyinfra's ``connect_all``, which prints a line of its own per host, then "No hosts remaining!", asks whether
to go on without those that failed, or ends with a traceback.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import gevent
from pyinfra import logger
from pyinfra.api import Host, State
from pyinfra.api.exceptions import PyinfraError
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.progress import progress_spinner
from pyinfra_cli import cli

from pyinfra_adapter import asking, known_hosts, ssh_config, transport
from pyinfra_adapter.unreachable import Where, sentence


def install(where: Callable[[Any], Where]) -> None:
    """Have pyinfra's command line, and everything else in this process, connect our way.

    + where: given the inventory, tells where something stands in it
    """
    prepare()
    cli.connect_all = lambda state: connect_all(state, where(state.inventory))


def prepare() -> None:
    """Have connections of this process read the operator's files and run commands our way."""
    asking.install()
    transport.install()
    known_hosts.install()
    ssh_config.install()
    # What cannot be done is said by an exception; paramiko would print a traceback of its own besides.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())


def connect_all(state: State, where: Where) -> None:
    """Connect to all hosts that STATE is limited to. Raises ``PyinfraError`` with a sentence for each that fails."""
    hosts = [host for host in state.inventory if state.is_host_in_limit(host)]
    files = {str(host.data.get("ssh_config_file") or "") for host in hosts if isinstance(host.connector, SSHConnector)}
    if problems := [problem for file in sorted(files) for problem in ssh_config.problems(file)]:
        raise PyinfraError("\n".join(problems))
    attempts = {state.pool.spawn(_connect, host, where): host for host in hosts}
    with progress_spinner(attempts.values()) as progress:
        for attempt in gevent.iwait(attempts):
            progress(attempts[attempt])
    failed = {host: attempt.get() for attempt, host in attempts.items() if attempt.get()}
    for host in hosts:
        if host not in failed:
            state.activate_host(host)
    if not failed:
        return
    if not state.config.FAIL_PERCENT:
        raise PyinfraError("\n".join(failed.values()))
    for problem in failed.values():
        logger.error(problem)
    state.fail_hosts(set(failed), activated_count=len(hosts))  # type: ignore[no-untyped-call]


def _connect(host: Host, where: Where) -> str:
    """Connect to HOST; return what is wrong."""
    try:
        host.connect(show_errors=False, raise_exceptions=True)
    except Exception as error:  # whatever it is: a greenlet would print a traceback, and the run go on without the host
        return sentence(host, error, where)
    return ""
