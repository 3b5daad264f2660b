"""Keep system accounts."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from facts.users import Home
from operations.files import script


@operation()
def system(user: str, home: str) -> Generator[StringCommand, None, None]:
    """Have a system account with a group of its name that nobody can log in to.

    + user: its name
    + home: its home folder, which is not made
    """
    if host.get_fact(Home, user=user) == home:
        host.noop(f"{user} exists")
        return
    yield script(
        'if id -u "$1" >/dev/null 2>&1; then usermod -d "$2" "$1"; '
        'else useradd --system --user-group --no-create-home --home-dir "$2" --shell /usr/sbin/nologin "$1"; fi',
        user, home,
    )  # fmt: skip
