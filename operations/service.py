"""Keep systemd services running with their newest configuration."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra import host
from pyinfra.api import StringCommand, operation

from facts.files import Managed, leftover_path
from facts.systemd import Present, Unit, UnitState, reload_stamp
from operations import announce, clock, foresight
from operations.files import script
from operations.kept import KEEP

# UnitFileState values under which a unit starts at boot, or is started by what owns it (PostgreSQL's generator).
_ENABLED = {"enabled", "enabled-runtime", "static", "generated", "alias", "indirect", "transient", ""}

_RESTART = r"""
set -e
systemctl daemon-reload
if [ "$(systemctl show --value -p LoadState -- "$1")" = masked ]; then
  systemctl unmask -- "$1"; systemctl unmask --runtime -- "$1"
fi
if [ -n "$2" ]; then sh -c "$2"; fi
case "$(systemctl is-enabled -- "$1" 2>/dev/null)" in disabled|indirect) systemctl enable --quiet -- "$1";; esac
systemctl reset-failed -- "$1" 2>/dev/null || :
systemctl restart -- "$1" || { journalctl -n 20 --no-pager -o cat -u "$1" >&2; exit 1; }
"""
# The stamp is made before the reload, so that a change during it counts as newer, and kept only if it worked.
_RELOAD = r"""
set -e
if [ -n "$2" ]; then sh -c "$2"; fi
mkdir -p "$(dirname "$3")"; touch "$3.new"
systemctl reload -- "$1" || { rm -f "$3.new"; journalctl -n 20 --no-pager -o cat -u "$1" >&2; exit 1; }
mv -f "$3.new" "$3"
"""
_ABSENT = (
    KEEP
    + r"""
set -e
unit=$1; mark=$2; count=$3; shift 3
systemctl disable --now --quiet -- "$unit" 2>/dev/null || systemctl stop -- "$unit" 2>/dev/null || :
while [ "$count" -gt 0 ]; do keep "$1"; rm -f -- "$1"; forgotten "$1"; shift; count=$((count - 1)); done
systemctl daemon-reload; systemctl reset-failed -- "$unit" 2>/dev/null || :
for tree in "$@"; do rm -rf -- "$tree"; rmdir -- "$(dirname "$tree")" 2>/dev/null || :; done
rm -rf -- "$mark"
"""
)
_WITHOUT = KEEP + 'set -e; keep "$1"; rm -rf "$2" "$2.old"; rm -f "$1"; forgotten "$1"; systemctl daemon-reload'
_ENABLE = 'systemctl enable --quiet -- "$1"'
# Files go last, so that a killed run is made up for; a unit that fails to stop is an error, and stays.
_UNITS_ABSENT = (
    KEEP
    + r"""
set -e
for unit do
  case $(systemctl show --value -p ActiveState -- "$unit") in inactive|failed) ;; *) systemctl stop -- "$unit" ;; esac
done
for unit do
  systemctl disable --quiet -- "$unit" 2>/dev/null || :
  keep "/etc/systemd/system/$unit"; forgotten "/etc/systemd/system/$unit"
  rm -rf "/etc/systemd/system/$unit" "/etc/systemd/system/$unit.d" "/etc/systemd/system/.$unit.ckan-deploy"* \
    /etc/systemd/system/*.wants/"$unit" "/var/lib/systemd/timers/stamp-$unit"
done
systemctl daemon-reload
for unit do systemctl reset-failed -- "$unit" 2>/dev/null || :; done
"""
)


@operation()
def follow(
    unit: str, reads: Sequence[str] = (), reload: bool = False, check: str | None = None
) -> Generator[StringCommand, None, None]:
    """Enable a unit and have it run with the newest state of what it reads.

    + unit: full name, as ``redis-server.service``
    + reads: files and folders that its process reads; the unit's file and drop-ins count always
    + reload: reload instead of restart where only ``reads`` changed (nginx); a changed unit file restarts
    + check: command that must succeed before a start, restart or reload (``nginx -t``)

    The process is stale when the newest change (the later of ctime and mtime) is younger than its start or its
    last reload. That is asked of the host, not of this run's history, so a killed run's restart is made up for. A time
    in the future is no change, but warned of.
    """
    current = host.get_fact(Unit, unit=unit, reads=tuple(reads))
    clock.say_ahead(current.ahead, unit)
    own_files = (f"/etc/systemd/system/{unit}", f"/etc/systemd/system/{unit}.d")
    if foresight.started(unit):
        host.noop(f"{unit} will have been started")
    elif (
        current.active not in ("active", "reloading")
        or current.load != "loaded"
        or current.needs_daemon_reload
        or foresight.touched(*own_files)
        or (not reload and (_stale(current, current.started) or foresight.touched(*reads)))
    ):
        foresight.will_start(unit)
        if current.active in ("active", "reloading"):
            announce.restarts(unit)
        yield script(_RESTART, unit, check or "")
    elif reload and (_stale(current, _latest(current.started, current.reloaded)) or foresight.touched(*reads)):
        yield script(_RELOAD, unit, check or "", reload_stamp(unit))
    elif current.enabled not in _ENABLED:
        yield script(_ENABLE, unit)
    else:
        host.noop(f"{unit} runs with its newest configuration")


@operation()
def absent(
    unit: str, mark: str, files: Sequence[str] = (), trees: Sequence[str] = ()
) -> Generator[StringCommand, None, None]:
    """Stop a unit of ours, and remove it with what it ran from.

    + unit: full name; its file is in /etc/systemd/system
    + mark: absolute path of a folder that only a run of ours makes, before all else: without it the unit is somebody
      else's, and stays. It is removed last
    + files, trees: absolute paths of files, and of folders with all that is in them; the folder around such a one goes
      too when nothing else is in it
    """
    if host.get_fact(Managed, path=mark).state is None:
        host.noop(f"there is no {unit} of ours")
        return
    file = f"/etc/systemd/system/{unit}"
    foresight.will_touch(file, mark, *files, *trees)
    yield script(_ABSENT, unit, mark, len(files) + 1, file, *files, *trees)


@operation()
def units_absent(units: Sequence[str]) -> Generator[StringCommand, None, None]:
    """Stop units of ours and remove all that there is of them.

    + units: full names, a timer before the service that it starts; a unit that a package brings is not for this
    """
    found = host.get_fact(Present, units=tuple(units)) if units else ()
    if not found:
        host.noop("there is none of these units")
        return
    foresight.will_touch(*(f"/etc/systemd/system/{unit}" for unit in found))
    yield script(_UNITS_ABSENT, *found)


@operation()
def without(drop_in: str) -> Generator[StringCommand, None, None]:
    """Remove a drop-in of ours, and have systemd forget it; a process that runs goes on as it is.

    + drop_in: its absolute path
    """
    managed = host.get_fact(Managed, path=drop_in)
    if managed.state is None and not managed.leftover:
        host.noop(f"{drop_in} is not there")
        return
    foresight.will_touch(drop_in)
    yield script(_WITHOUT, drop_in, leftover_path(drop_in))


def _stale(current: UnitState, since: float | None) -> bool:
    """Whether something that the unit reads is younger than SINCE; a unit without a process is never stale."""
    return current.newest is not None and since is not None and current.newest > since


def _latest(*times: float | None) -> float | None:
    return max((time for time in times if time is not None), default=None)
