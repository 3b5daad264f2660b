"""What an inventory file binds, before pyinfra ignores what is no group, or takes it for another one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyinfra_cli import inventory


@contextmanager
def seen() -> Iterator[dict[str, Any]]:
    """Collect the values that inventory files bind while pyinfra reads them, by name; those beginning with _ not."""
    found: dict[str, Any] = {}
    theirs = inventory._is_inventory_group

    def is_group(name: str, value: Any) -> Any:
        if not name.startswith("_"):
            found[name] = value
        return theirs(name, value)

    inventory._is_inventory_group = is_group
    try:
        yield found
    finally:
        inventory._is_inventory_group = theirs
