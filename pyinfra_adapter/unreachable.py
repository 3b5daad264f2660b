"""Why a host cannot be reached: one sentence with the inventory's line and what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from socket import gaierror
from typing import Any

from paramiko import AuthenticationException, BadHostKeyException, SSHException
from paramiko.ssh_exception import NoValidConnectionsError
from pyinfra.api import Host
from pyinfra.api.exceptions import ConnectError, PyinfraError

from pyinfra_adapter.known_hosts import HostKeyProblem
from pyinfra_adapter.transport import Refused

# Where the host NAME stands in the inventory; with the name of a key, where that got its value for the host.
Where = Callable[[str, str], str]


def sentence(host: Host, error: Exception, where: Where) -> str:
    """Say why HOST cannot be reached, given the ERROR that this ended with."""
    if isinstance(error, ConnectError):  # pyinfra makes texts of what it was
        cause = error.__cause__ or error.__context__
        error = cause if isinstance(cause, Exception) else error
    return f"{where(host.name, '')}: {_said(host, error, where)}"


def _said(host: Host, error: Exception, where: Where) -> str:
    data: dict[str, Any] = getattr(host.connector, "data", {})
    name = data.get("ssh_hostname") or host.name
    place = f"{host.name} ({name}, port {data.get('ssh_port') or 22})"
    match error:
        case Refused():
            return str(error)
        case HostKeyProblem():
            return f"{host.name}: {error}"
        case BadHostKeyException():
            port, file = data.get("ssh_port") or 22, data.get("ssh_known_hosts_file")
            entry = error.hostname if port == 22 else f"'[{error.hostname}]:{port}'"
            return (
                f"{place} has another host key than the one that is known: either somebody stands in between, or "
                f"the host was made anew; then remove the old one (`ssh-keygen -R {entry}"
                f"{f' -f {file}' if file else ''}`), and record the new one"
            )
        case SSHException() if isinstance(error, AuthenticationException) or "No authentication methods" in str(error):
            return _not_let_in(place, host, data, where, str(error))
        case gaierror():
            return (
                f"the name {name} of {host.name} does not resolve on this machine; correct "
                f"{_given(host, 'ssh_hostname', where)}, or set it to an address"
            )
        case RecursionError():
            return f"the way to {place} goes in a circle: a jump host in your SSH configuration (ProxyJump) is its own"
        case OSError() if not isinstance(error, FileNotFoundError):
            return (
                f"{place} does not answer: {_reason(error)}; see that it is up, that sshd runs there, and that "
                f"{_given(host, 'ssh_hostname', where)} and ssh_port are right"
            )
        case EOFError() | SSHException():
            return (
                f"{place} cannot be talked to by SSH: {_reason(error)}; see that `ssh -p {data.get('ssh_port') or 22} "
                f"{name}` works"
            )
        case PyinfraError() if data.get("ssh_key"):
            return _key(host, str(data["ssh_key"]), where, str(error))
    return f"{place} cannot be reached: {_reason(error)}"


def _not_let_in(place: str, host: Host, data: dict[str, Any], where: Where, said: str) -> str:
    user = data.get("ssh_user") or "your own name"
    key = f"the key {data['ssh_key']}" if data.get("ssh_key") else "any key of the agent or of ~/.ssh"
    return (
        f"{place} does not let in {user} with {key}: {said.rstrip('.')}; put the key's public half into that account's "
        f"~/.ssh/authorized_keys there, or correct {_given(host, 'ssh_user', where)} or "
        f"{_given(host, 'ssh_key', where)}"
    )


def _key(host: Host, key: str, where: Where, said: str) -> str:
    given = _given(host, "ssh_key", where)
    if not Path(key).expanduser().exists():
        return f"the key file {key} of {host.name} is not there; correct {given}, or make the key with ssh-keygen"
    if "is encrypted" in said:
        return (
            f"the key file {key} of {host.name} has a passphrase, and nobody to ask for it; put the key into an agent "
            f"(ssh-add {key}) and remove {given}, or run at a terminal"
        )
    return f"the key file {key} of {host.name} cannot be used: {said}; correct {given}"


def _given(host: Host, key: str, where: Where) -> str:
    """Name KEY, and where it stands if that is elsewhere than the host."""
    place = where(host.name, key)
    return f"{key} ({place})" if place and place != where(host.name, "") else key


def _reason(error: Exception) -> str:
    if isinstance(error, NoValidConnectionsError):
        reasons: list[Any] = list(error.errors.values())
        return ", ".join(sorted({reason.strerror or str(reason) for reason in reasons})).lower()
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).strip().rstrip(".") or type(error).__name__
