"""Facts about systemd units and how fresh their processes are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value

_UNIT = re.compile(r"^[A-Za-z0-9:_.@-]+\.[a-z]+$")
# A process's start is computed from the boot clock: systemd's own times say when it learned of a forking
# service's main process, which is later; a file written in between would be missed. Numbers are written with a point
# in this locale, with a comma in others. Both clocks are read until they were read at once: on a busy host this shell
# may wait between them, and the process would seem to be older than what it reads.
PROCESS_START = r"""
export LC_ALL=C
started() {
  [ "${1:-0}" != 0 ] || return 0  # a timer has no process
  for try in $(seq 50); do
    read before _ < /proc/uptime; now=$(date +%s.%N); read up _ < /proc/uptime
    [ "$before" != "$up" ] || break
  done
  sed 's/.*) //' "/proc/$1/stat" 2>/dev/null |
    awk -v now="$now" -v up="$up" -v hz="$(getconf CLK_TCK)" '{ printf "%.3f", now - up + $20 / hz }'
}
"""

# A time in the future is no change: nobody can have read it by then, whatever is done. So that of a file whose owner
# set it counts as when that was done, one from a time at which the clock was wrong not at all. The clock is read last:
# what is written meanwhile is of the past.
AHEAD = 5  # so many paths are named
_NEWEST = r"""
newest() {
  [ $# -gt 0 ] || return 0
  times=$(find "$@" -printf '%C@ %p\n%T@ %p\n' 2>/dev/null | sort -rn)
  printf '%s\n' "$times" | awk -v now="$(date +%s.%N)" -v most=AHEAD '
    done || $1 !~ /^[0-9]+\.[0-9]+$/ { next }
    $1 + 0 <= now + 0 { done = 1; print "Newest=" $1; next }
    { path = substr($0, length($1) + 2); if (!(path in seen) && named < most) print "Ahead=" path
      if (!(path in seen)) { seen[path]; named++ } }'
}
past() { awk -v time="$1" -v now="$(date +%s.%N)" 'BEGIN { exit !(time + 0 <= now + 0) }'; }
""".replace("AHEAD", str(AHEAD))

# A folder of drop-ins that was made after the last daemon-reload is not known to systemd (252), nor does it say that it
# needs one: so the administrator's files are looked at whatever it says. What a generator made is written anew by each
# daemon-reload: its time tells nothing.
_SCRIPT = (
    PROCESS_START
    + _NEWEST
    + r"""
unit=$1; stamp=$2; shift 2
command -v systemctl >/dev/null || exit 0
systemctl show -p LoadState -p ActiveState -p UnitFileState -p NeedDaemonReload -p MainPID -p FragmentPath \
  -p DropInPaths -- "$unit" 2>/dev/null || exit 0
get() { systemctl show --value -p "$1" -- "$unit"; }
pid=$(get MainPID)
if [ "${pid:-0}" != 0 ]; then echo "Started=$(started "$pid")"
elif [ "$(get ActiveState)" = active ]; then
  since=$(systemctl show --value --timestamp=us+utc -p InactiveExitTimestamp -- "$unit")
  since=$(date -u -d "$since" +%s.%N)
  past "$since" || since=0
  echo "Started=$since"
fi
own=/etc/systemd/system/$unit
files=$(for file in $(get FragmentPath) $(get DropInPaths); do
  case $file in /run/systemd/generator*) ;; *) echo "$file" ;; esac
done)
newest "$@" "$own" "$own.d" $files
reloaded=$(stat -c %.Y "$stamp" 2>/dev/null)
if [ -n "$reloaded" ] && past "$reloaded"; then echo "Reloaded=$reloaded"; fi
"""
)


@dataclass(frozen=True)
class UnitState(Value):
    """A unit: its states in systemd's words, and times in seconds since the epoch (None: not known).

    ``started``: when its main process started; of a timer and all else without one, when it became active (0 where
    that is in the future). ``newest``: of times in the future none counts; ``ahead`` are paths that have one.
    """

    load: str = "not-found"
    active: str = "inactive"
    enabled: str = ""
    needs_daemon_reload: bool = False
    pid: int = 0
    started: float | None = None
    reloaded: float | None = None
    newest: float | None = None
    ahead: tuple[str, ...] = ()


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
                ahead=tuple(line.partition("=")[2] for line in output if line.startswith("Ahead=")),
            )
        except (KeyError, ValueError):
            raise FactProcessError(f"systemctl printed what is not understood: {output!r}") from None


# The links of enabled units, what a killed run left, and the time of a timer's last run are theirs, too.
_PRESENT = r"""
for unit do
  there=
  for path in "/etc/systemd/system/$unit" "/etc/systemd/system/$unit.d" "/etc/systemd/system/.$unit.ckan-deploy"* \
      /etc/systemd/system/*.wants/"$unit" "/var/lib/systemd/timers/stamp-$unit"; do
    if [ -e "$path" ] || [ -L "$path" ]; then there=yes; fi
  done
  case $(systemctl show --value -p ActiveState -- "$unit" 2>/dev/null) in ""|inactive) ;; *) there=yes ;; esac
  if [ -n "$there" ]; then printf '%s\n' "$unit"; fi
done
"""


class Present(FactBase[tuple[str, ...]]):
    """Which units there is anything of: a file of the administrator's, a link, or something that runs or failed.

    + units: full names
    """

    @override
    def command(self, units: Sequence[str]) -> StringCommand:
        """Build the one command of this fact."""
        return StringCommand("sh -c", QuoteString(_PRESENT), "ckan-deploy", *map(QuoteString, units))

    @staticmethod
    @override
    def default() -> tuple[str, ...]:
        """None of them."""
        return ()

    @override
    def process(self, output: list[str]) -> tuple[str, ...]:
        """Take the lines; raises ``FactProcessError`` for what is no unit's name."""
        if strange := [line for line in output if not _UNIT.match(line)]:
            raise FactProcessError(f"these are no names of units: {strange!r}")
        return tuple(output)


def _time(text: str | None) -> float | None:
    return float(text) if text else None
