"""Have nftables' rules in force."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from facts.nftables import Table
from operations.files import script

_LOAD = r"""printf '%s\n' "$1" | nft -f -"""


@operation()
def table(family: str, table: str, rules: str) -> Generator[StringCommand, None, None]:
    """Have a table with exactly these rules in force; other tables are left alone.

    + family, table: of nftables
    + rules: text for ``nft -f`` that replaces the table in one step

    The rules in force are compared, not a file: a ruleset that was flushed or changed by hand is repaired, and a
    run that was killed between writing a file and loading it is made up for.
    """
    if host.get_fact(Table, family=family, table=table, rules=rules).settled:
        host.noop(f"table {table} is as wanted")
        return
    yield script(_LOAD, rules)
