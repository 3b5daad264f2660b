"""Keep systemd services running with their newest configuration."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra import host
from pyinfra.api import StringCommand, operation

from facts.systemd import Unit, UnitState, reload_stamp
from operations import foresight
from operations.files import script

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
_ENABLE = 'systemctl enable --quiet -- "$1"'


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
    last reload. That is asked of the host, not of this run's history, so a killed run's restart is made up for.
    """
    current = host.get_fact(Unit, unit=unit, reads=tuple(reads))
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
        yield script(_RESTART, unit, check or "")
    elif reload and (_stale(current, _latest(current.started, current.reloaded)) or foresight.touched(*reads)):
        yield script(_RELOAD, unit, check or "", reload_stamp(unit))
    elif current.enabled not in _ENABLED:
        yield script(_ENABLE, unit)
    else:
        host.noop(f"{unit} runs with its newest configuration")


def _stale(current: UnitState, since: float | None) -> bool:
    """Whether something that the unit reads is younger than SINCE; a unit without a process is never stale."""
    return current.newest is not None and since is not None and current.newest > since


def _latest(*times: float | None) -> float | None:
    return max((time for time in times if time is not None), default=None)
