"""Facts about systemd units and how fresh their processes are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value

# A process's start is computed from the boot clock: systemd's own times say when it learned of a forking
# service's main process, which is later; a file written in between would be missed. Numbers are written with a point
# in this locale, with a comma in others. Both clocks are read until they were read at once: on a busy host this shell
# may wait between them, and the process would seem to be older than what it reads.
PROCESS_START = r"""
export LC_ALL=C
started() {
  for try in $(seq 50); do
    read before _ < /proc/uptime; now=$(date +%s.%N); read up _ < /proc/uptime
    [ "$before" != "$up" ] || break
  done
  sed 's/.*) //' "/proc/$1/stat" 2>/dev/null |
    awk -v now="$now" -v up="$up" -v hz="$(getconf CLK_TCK)" '{ printf "%.3f", now - up + $20 / hz }'
}
newest() {
  [ $# -eq 0 ] || find "$@" -printf '%C@\n%T@\n' 2>/dev/null | sort -rn | head -n 1
}
"""

# A folder of drop-ins that was made after the last daemon-reload is not known to systemd (252), nor does it say that it
# needs one: so the administrator's files are looked at whatever it says.
_SCRIPT = (
    PROCESS_START
    + r"""
unit=$1; stamp=$2; shift 2
command -v systemctl >/dev/null || exit 0
systemctl show -p LoadState -p ActiveState -p UnitFileState -p NeedDaemonReload -p MainPID -p FragmentPath \
  -p DropInPaths -- "$unit" 2>/dev/null || exit 0
get() { systemctl show --value -p "$1" -- "$unit"; }
echo "Started=$(started "$(get MainPID)")"
own=/etc/systemd/system/$unit
echo "Newest=$(newest "$@" "$own" "$own.d" $(get FragmentPath) $(get DropInPaths))"
[ ! -e "$stamp" ] || echo "Reloaded=$(stat -c %.Y "$stamp")"
"""
)


@dataclass(frozen=True)
class UnitState(Value):
    """A unit: its states in systemd's words, and times in seconds since the epoch (None: not known)."""

    load: str = "not-found"
    active: str = "inactive"
    enabled: str = ""
    needs_daemon_reload: bool = False
    pid: int = 0
    started: float | None = None
    reloaded: float | None = None
    newest: float | None = None


def reload_stamp(unit: str) -> str:
    """Path of the file whose time is that of UNIT's last successful reload; systemd does not record reloads."""
    return f"/run/ckan-deploy/{unit}.reloaded"


class Unit(FactBase[UnitState]):
    """State of a systemd unit, its main process's start and the newest change of what it reads.

    + unit: full name, as ``nginx.service``
    + reads: files and folders that the process reads; the unit's own files are added
    """

    @override
    def command(self, unit: str, reads: Sequence[str] = ()) -> StringCommand:
        """Build the one command of this fact."""
        arguments = (unit, reload_stamp(unit), *reads)
        return StringCommand("sh -c", QuoteString(_SCRIPT), "ckan-deploy", *map(QuoteString, arguments))

    @staticmethod
    @override
    def default() -> UnitState:
        """Neither the unit nor systemd is there."""
        return UnitState()

    @override
    def process(self, output: list[str]) -> UnitState:
        """Parse ``systemctl show``; raises ``FactProcessError`` with the output shown."""
        fields = dict(line.partition("=")[::2] for line in output)
        try:
            return UnitState(
                load=fields["LoadState"],
                active=fields["ActiveState"],
                enabled=fields["UnitFileState"],
                needs_daemon_reload=fields["NeedDaemonReload"] == "yes",
                pid=int(fields.get("MainPID") or 0),
                started=_time(fields.get("Started")),
                reloaded=_time(fields.get("Reloaded")),
                newest=_time(fields.get("Newest")),
            )
        except (KeyError, ValueError):
            raise FactProcessError(f"systemctl printed what is not understood: {output!r}") from None


def _time(text: str | None) -> float | None:
    return float(text) if text else None
