"""A command that lasts as long as the run: beside the others on the connection, or on a connection of its own."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from typing import IO, Any

from paramiko import ChannelException
from pyinfra.api import Host, StringCommand

from pyinfra_adapter import marks, transport


class Lasting:
    """A running command. Its standard input is open until ``close``; what it says is read line by line."""

    def __init__(self, out: IO[bytes], err: IO[bytes]) -> None:
        self._answer = marks.Answer()
        self._lines = self._answer.lines(out)
        self._err = err

    def readline(self) -> str:
        """Return the next line that the command says; empty when it has ended."""
        line = next(self._lines, "")
        return line if self._answer.begun else ""

    def complaint(self) -> str:
        """Return the end of what was said on standard error, once the command has ended: by it, or why it never ran."""
        answer = marks.Answer()
        lines = [*answer.lines(self._err)] or answer.noise
        return " ".join(line.strip() for line in lines[-3:])

    def close(self) -> None:
        """Let the command end."""
        raise NotImplementedError


class _OverSsh(Lasting):
    def __init__(self, session: Any, command: str, client: Any = None) -> None:
        self.session, self.client = session, client
        session.settimeout(_PATIENCE)
        session.exec_command(command)
        super().__init__(session.makefile("rb"), session.makefile_stderr("rb"))

    def close(self) -> None:
        self.session.close()
        if self.client:
            self.client.close()


class _Here(Lasting):
    def __init__(self, command: str) -> None:
        # A file, which never fills up: nobody reads it before the end.
        err = tempfile.TemporaryFile()  # noqa: SIM115 (it lasts as long as the command)
        self.process = subprocess.Popen(
            ["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err
        )
        assert self.process.stdout
        super().__init__(self.process.stdout, err)

    def complaint(self) -> str:
        self.process.wait()
        self._err.seek(0)
        return super().complaint()

    def close(self) -> None:
        self.process.communicate()
        self._err.close()


_PATIENCE = 3600  # seconds in which it must say something


def client_of(host: Host) -> Any:
    """Return the SSH client of HOST's connection; None where it is reached by other means."""
    return getattr(host.connector, "client", None)


def reachable(host: Host) -> bool:
    """Whether a command can last there: over SSH, and on this machine itself."""
    return bool(client_of(host)) or host.name == "@local"


def start(host: Host, command: Callable[[str], StringCommand], arguments: dict[str, Any]) -> Lasting:
    """Start a command on HOST with the connector ARGUMENTS.

    + command: makes it, given the process of sshd that the connection to HOST has there; empty where the command
      itself is on that connection. It is not where the server allows one session on each.
    """
    client = client_of(host)
    if client is None:
        return _Here(transport.wrapped(host, command(""), arguments))
    session = transport.open_session(host, client)
    try:
        client.get_transport().open_session(timeout=transport.ANSWER).close()
    except ChannelException:
        session.close()
        _, output = host.run_shell_command(StringCommand(_SSHD), **arguments)
        return _on_its_own(host, command(output.stdout), arguments)
    return _OverSsh(session, transport.wrapped(host, command(""), arguments))


_SSHD = r"""
pid=$$
while [ "${pid:-0}" -gt 1 ]; do
  case "$(cat "/proc/$pid/comm")" in sshd*) echo "$pid"; break;; esac
  pid=$(sed 's/.*) . //; s/ .*//' "/proc/$pid/stat")
done"""


def _on_its_own(host: Host, command: StringCommand, arguments: dict[str, Any]) -> Lasting:
    connector = type(host.connector)(host.state, host)
    connector.connect()
    client: Any = getattr(connector, "client", None)
    return _OverSsh(transport.open_session(host, client), transport.wrapped(host, command, arguments), client)
