"""Commands over SSH: their answers are told apart from noise, and a server may allow one session at a time.

Replaces how pyinfra's SSH connector runs a command. Facts, operations and ``@fake`` hosts know nothing of it.
"""

from __future__ import annotations

import time
from typing import Any

from paramiko import Channel, ChannelException
from pyinfra import logger
from pyinfra.api import Host, StringCommand
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, pop_global_arguments
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.output import echo
from pyinfra.connectors import util
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import CommandOutput

from pyinfra_adapter import asking, connection, marks

_FOREIGN = "ckan_deploy_doubles_backslashes"  # of the login shell; in a host's connector_data
ANSWER = 60  # seconds in which a further session must be there
_REFUSED = 10  # seconds in which a server that allows few sessions must have noticed the end of one
_NOT_RUN = 254  # exit status of what a login shell did not run, although it ended as if all were well


class Refused(PyinfraError):
    """Why a host that lets us in cannot be worked on."""


def install() -> None:
    """Have all SSH connections of this process run commands our way."""
    connector: Any = SSHConnector
    connector.connect = _connect
    connector.run_shell_command = _run_shell_command


_CONNECT = SSHConnector.connect


def wrapped(host: Host, command: str | StringCommand, arguments: dict[str, Any]) -> str:
    """Return what is sent to HOST to run COMMAND between its marks, with the connector ARGUMENTS (sudo, environment).

    What sudo itself says is English whatever the host speaks: it is read.
    """
    arguments = {**arguments, "_shell_executable": arguments.get("_shell_executable") or "sh"}
    made: StringCommand = util.make_unix_command_for_host(host.state, host, marks.around(command), **arguments)
    text: str = f"env LANGUAGE= LC_ALL=C.UTF-8 {made.get_raw_value()}"
    # fish takes a backslash within single quotes for an escape.
    return text.replace("\\", "\\\\") if host.connector_data.get(_FOREIGN) else text


def open_session(host: Host, client: Any) -> Channel:
    """Open a session of CLIENT, which is connected to HOST; wait where the server has not yet noticed another's end."""
    deadline = time.monotonic() + _REFUSED
    while True:
        try:
            opened: Channel = client.get_transport().open_session(timeout=ANSWER)
            return opened
        except ChannelException as error:
            if time.monotonic() > deadline:
                raise Refused(
                    f"{host.name} allows no further session on this connection: raise MaxSessions in its sshd_config, "
                    "or have ForwardAgent off for it in your ~/.ssh/config"
                ) from error
            time.sleep(0.05)


def _connect(self: Any) -> None:
    """Connect, and learn how the login shell takes commands. In place of ``SSHConnector.connect``.

    Raises ``Refused`` where none can be run, or not by sudo.
    """
    _CONNECT(self)
    connection.adjust(self.client)
    host: Host = self.host
    given: dict[str, Any] = dict(pop_global_arguments(host.state, host, {})[0])
    arguments = {key: given[key] for key in CONNECTOR_ARGUMENT_KEYS if key in given and key not in _OF_ONE_COMMAND}
    succeeded, output = _run_shell_command(self, StringCommand(_TWO_BACKSLASHES), **arguments)
    if succeeded:
        host.connector_data[_FOREIGN] = output.stdout_lines != ["2"]
        return
    said = output.stderr_lines or output.stdout_lines
    if problem := asking.sudo_problem(host.name, said):
        raise Refused(problem)
    raise Refused(_no_shell(host.name, _login_shell(self), " ".join(line.strip() for line in said[-3:])))


_OF_ONE_COMMAND = {"_timeout", "_get_pty", "_stdin", "_success_exit_codes"}
_TWO_BACKSLASHES = "it='\\\\'\nprintf '%s\\n' ${#it}"


def _login_shell(connector: Any) -> str:
    """Return the login shell's path by a command that each shell understands; empty where it runs none at all."""
    with open_session(connector.host, connector.client) as session:
        session.exec_command("echo $SHELL")
        lines = session.makefile("rb").read().decode(errors="replace").splitlines()
    return next((line for line in reversed(lines) if line.startswith("/")), "")


def _no_shell(name: str, shell: str, said: str) -> str:
    if shell.endswith("csh"):
        return (
            f"{name}: the login shell there is {shell}, which takes no line breaks within quotes, so our commands "
            f"cannot be run; give the account another (`sudo chsh -s /bin/bash ACCOUNT` on {name})"
        )
    shell = shell or "a program that runs no commands"
    return (
        f"{name}: our commands cannot be run; the login shell there is {shell}, and said: {said or 'nothing'}; see "
        f"that `ssh {name} sh -c true` works, and that no start file of the shell (.bashrc, .zshenv) ends it"
    )


def _run_shell_command(
    self: Any,
    command: StringCommand,
    print_output: bool = False,
    print_input: bool = False,
    **arguments: Any,
) -> tuple[bool, CommandOutput]:
    """Run COMMAND; the answer holds what it said itself. In place of ``SSHConnector.run_shell_command``."""
    host: Host = self.host
    pty = arguments.pop("_get_pty", False)
    timeout = arguments.pop("_timeout", None)
    stdin = arguments.pop("_stdin", None)
    statuses = arguments.pop("_success_exit_codes", None) or (0,)

    def execute() -> tuple[int, CommandOutput]:
        shown = util.make_unix_command_for_host(self.state, host, command, **arguments)  # without its marks
        logger.debug("Running command on %s: (pty=%s) %s", host.name, pty, shown)
        if print_input:
            echo(f"{host.print_prefix}>>> {shown}", err=True)
        session = open_session(host, self.client)
        try:
            if pty:
                session.get_pty()
            session.exec_command(wrapped(host, command, arguments))
            return _answer(session, stdin, timeout, print_output, host.print_prefix)
        finally:
            session.close()

    status, output = asking.with_password(host, arguments, execute)
    return status in statuses, output


def _answer(
    session: Channel, stdin: Any, timeout: int | None, print_output: bool, prefix: str
) -> tuple[int, CommandOutput]:
    """Feed what runs in SESSION with STDIN, and read its answer and its exit status."""
    channel_in = session.makefile_stdin("wb")
    try:
        if stdin:
            util.write_stdin(stdin, channel_in)  # type: ignore[no-untyped-call]
        channel_in.close()
    except OSError:
        logger.debug("the command ended before it had read all of its input")  # why, its answer says
    out, err = marks.Answer(), marks.Answer()
    output = util.read_output_buffers(
        out.lines(session.makefile("rb")),
        err.lines(session.makefile_stderr("rb")),
        timeout=timeout,
        print_output=print_output,
        print_prefix=prefix,
    )
    status = session.recv_exit_status()
    return (status if out.begun or status else _NOT_RUN), output
