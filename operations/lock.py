"""One run at a time: a host is held for as long as the connection of the run that changes it lives.

A process on the host holds the lock and ends with its standard input, so a controller that is killed, or a host
that is rebooted, leaves no lock behind.
"""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Generator
from typing import Any

from paramiko import SSHException
from pyinfra import host, logger, state
from pyinfra.api import BaseStateCallback, Host, QuoteString, State, StringCommand, operation
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS
from pyinfra.api.exceptions import ConnectError
from typing_extensions import override

from operations import foresight
from operations.files import script
from pyinfra_adapter import lasting
from pyinfra_adapter.lasting import Lasting
from pyinfra_adapter.transport import Refused

_KEY = "ckan_deploy_lock"
# Only root can open run.lock: whoever can may hold it. Who, since when and from where stands beside it for everybody.
# The process to end is the connection's sshd, not the holder: that ends the other run, should it still be alive.
# The reader of standard input must not have the lock itself, or it would outlive the holder.
_HOLD = r"""
umask 022; mkdir -p /run/ckan-deploy
lock=/run/ckan-deploy/run.lock; holder=/run/ckan-deploy/run.holder
[ -e "$lock" ] || (umask 077; : >> "$lock")
exec 9>> "$lock"
if ! flock -n 9; then
  for i in 1 2 3 4 5 6 7 8 9 10; do  # the other one may just be writing down who it is
    read -r pid rest < "$holder" 2>/dev/null && [ -d "/proc/$pid" ] && break
    sleep 0.2
  done
  printf 'busy '; cat "$holder" 2>/dev/null || echo; exit 0
fi
pid=$$ session= from= last= told=
while [ "${pid:-0}" -gt 1 ]; do
  [ -n "$from" ] || from=$(tr '\0' '\n' 2>/dev/null < "/proc/$pid/environ" |
    sed -n 's/^SSH_CONNECTION=\([^ ]*\).*/\1/p')
  case "$(cat "/proc/$pid/comm" 2>/dev/null)" in sshd*) session=${2:-$pid}; break;; esac
  pid=$(sed 's/.*) . //; s/ .*//' "/proc/$pid/stat" 2>/dev/null)
done
printf '%s %s %s %s\n' "${session:-$$}" "$1" "$(date -u +%Y-%m-%dT%H:%M:%S)" "${from:-itself}" > "$holder.new"
mv -f "$holder.new" "$holder"
# What a dead run's connection left running (a download, a migration, apt) would work against this run's own.
# Each of our commands is `sh -c … ckan-deploy …`; those of guests, in containers of this host, are not meant.
left() {
  for found in $(grep -lzx ckan-deploy /proc/[0-9]*/cmdline 2>/dev/null); do
    process=${found%/cmdline}
    [ "$(readlink "$process/ns/pid")" = "$(readlink /proc/self/ns/pid)" ] || continue
    case "$(tr '\0' '\n' 2>/dev/null < "$found")" in ''|*"$lock"*) ;; *) echo "${process#/proc/}";; esac
  done
}
while now=$(left | head -n 1); [ -n "$now" ]; do  # a plan's questions come and go
  if [ "$now" = "$last" ] && [ "$now" != "$told" ]; then told=$now; echo "waits $now"; fi
  last=$now; sleep 0.5
done
# On a connection of its own it ends with the other one, too, whose commands it keeps apart.
[ -z "$2" ] || (while [ -d "/proc/$2" ]; do sleep 1; done; kill $$) 9>&- > /dev/null 2>&1 < /dev/null &
echo held
cat > /dev/null 9>&-
rm -f "$holder"
"""


class _Release(BaseStateCallback):
    """Lets go when pyinfra disconnects; a process that ends without doing so lets go, too.

    Says when the host is gone: pyinfra itself says no more than that an operation failed.
    """

    @staticmethod
    @override
    def host_disconnect(state: State, host: Host) -> None:
        if held := host.connector_data.pop(_KEY, None):
            held.close()
        client = lasting.client_of(host)
        transport = client.get_transport() if client else None
        if transport is not None and not transport.is_active():
            logger.error(
                f"the connection to {host.name} is lost: what was begun there may go on; "
                "the next run waits for that, and makes up for this one"
            )


@operation()
def hold() -> Generator[StringCommand, None, None]:
    """Keep other runs away from the host until this one ends; never a change.

    When another run holds it, the operation fails with a sentence that says whose, since when and from where, and
    how to take over if that run is dead. What a dead run left running there is waited for. Only evaluated while
    commands are run: a plan may be made at any time.

    Hosts that are reached by other means than SSH or from themselves are not held: nothing there ends with the run.
    """
    if foresight.preparing():
        host.noop("the host is held while commands are run")
        return
    try:
        held = _start(f"{getpass.getuser()}@{socket.gethostname()}")
        if held is None:
            host.noop("this connection cannot hold the host")
            return
        said = held.readline()
        while said.startswith("waits "):
            host.log(f"waiting for process {said.split()[1]}, which a run that is dead left running")
            said = held.readline()
        said = said or held.complaint()
    except (OSError, SSHException, ConnectError, Refused) as error:
        held, said = None, f"{type(error).__name__} {error}".strip()
    if said != "held":
        # A command that fails, not an exception: that would show a traceback and stop the other hosts' operations.
        yield script('printf "%s\\n" "$1" >&2; exit 1', refusal(host.name, said))
        return
    host.connector_data[_KEY] = held
    if not any(isinstance(handler, _Release) for handler in state.callback_handlers):
        state.add_callback_handler(_Release())  # type: ignore[no-untyped-call]
    host.noop("no other run is under way")


def refusal(name: str, said: str) -> str:
    """Say why the host NAME cannot be held, given what its holder SAID."""
    match said.split():
        case ["busy", pid, who, since, source]:
            day, _, time = since.partition("T")
            return (
                f"another run is under way on {name}, nothing was changed: {who} since {day} {time} UTC from {source}; "
                f"if it is dead, end it with `sudo kill {pid}` on {name} and run again"
            )
        case ["busy", *_]:
            return (
                f"another run is under way on {name}, nothing was changed; it does not say whose: "
                f"see `sudo fuser -v /run/ckan-deploy/run.lock` on {name}"
            )
    return f"{name} cannot be held for this run, nothing was changed: {said or 'no answer'}"


def _start(who: str) -> Lasting | None:
    """Start the holder on the current host for WHO; None where the connection has no way to."""
    if not lasting.reachable(host):
        return None
    who = re.sub(r"[^\w.@-]", "?", who, flags=re.ASCII)
    arguments: dict[str, Any] = dict(host.current_op_global_arguments or {})
    connector = {
        key: value
        for key, value in arguments.items()
        if key in CONNECTOR_ARGUMENT_KEYS and key not in {"_timeout", "_get_pty", "_stdin", "_success_exit_codes"}
    }

    def holder(sshd: str) -> StringCommand:
        return StringCommand("sh -c", QuoteString(_HOLD), "ckan-deploy", QuoteString(who), QuoteString(sshd))

    return lasting.start(host, holder, connector)
