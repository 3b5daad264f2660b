"""What operations say to people beside what they change."""

from __future__ import annotations

from collections.abc import Callable

from pyinfra import host

_SAID = "ckan_deploy_said"


def once(message: str, log: Callable[[str], None]) -> None:
    """Log MESSAGE of this host once per run: pyinfra may evaluate an operation twice."""
    said: set[str] = host.connector_data.setdefault(_SAID, set())
    if message not in said:
        said.add(message)
        log(f"{host.print_prefix}{message}")
