"""Names of data that pyinfra itself knows: its connectors' keys and the arguments of all operations."""

from __future__ import annotations

from functools import cache
from typing import Any, get_type_hints

from pyinfra.api.arguments import all_global_arguments
from pyinfra.api.connectors import get_all_connectors

# Read or set by connectors although their ``data_cls`` does not have them (pyinfra 3.10).
_MORE = {"chroot_directory", "docker_container_id", "docker_identifier", "docker_image"}


@cache
def known() -> frozenset[str]:
    """Return all of these names, as this pyinfra has them."""
    connectors: Any = get_all_connectors  # it has no types
    keys = {key for connector in connectors().values() for key in _keys(connector)}
    return frozenset(keys | _MORE | {name for name, _ in all_global_arguments() if name.startswith("_")})


def is_known(name: str) -> bool:
    """Whether pyinfra itself reads NAME."""
    return name in known()


def _keys(connector: Any) -> set[str]:
    data = getattr(connector, "data_cls", None)
    return set(get_type_hints(data)) if data else set()
