"""Keep system accounts."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from facts.users import Home
from operations import foresight
from operations.files import script

_SYSTEM = r"""
set -e
if id -u "$1" >/dev/null 2>&1; then usermod -d "$2" "$1"; exit; fi
if number=$(stat -c %u "$3" 2>/dev/null) && [ "$number" != 0 ] && ! getent passwd "$number" >/dev/null; then
  if ! getent group "$1" >/dev/null; then groupadd --system --gid "$(stat -c %g "$3")" "$1"; fi
  set -- "$1" "$2" --uid "$number" --gid "$1"
else
  set -- "$1" "$2" --user-group
fi
user=$1 home=$2; shift 2
useradd --system "$@" --no-create-home --home-dir "$home" --shell /usr/sbin/nologin "$user"
"""


@operation()
def system(user: str, home: str, data: str = "") -> Generator[StringCommand, None, None]:
    """Have a system account with a group of its name that nobody can log in to.

    + user: its name
    + home: its home folder, which is not made. It cannot be changed while a process of the account runs
    + data: folder of its files; by default its home

    An account that was removed gets the number back that its folder still bears: so its files are its own again.
    """
    if host.get_fact(Home, user=user) == home:
        host.noop(f"{user} exists")
        return
    foresight.will_make(user)
    yield script(_SYSTEM, user, home, data or home)
