"""Runs pyinfra with the arguments given, but of the deploy only what installs packages and builds environments.

Nothing is configured and no secret is needed: a host is bare afterwards, but for what takes long to install.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from pyinfra.api import State
from pyinfra_cli.main import main

from operations import apt, download, python

names: set[str] = set()
in_order: Callable[[State], list[str]] = State.get_op_order


def note(module: ModuleType, function: str) -> None:
    """Have the names of the operations that FUNCTION makes noted."""
    original = getattr(module, function)

    def noted(*arguments: Any, **options: Any) -> Any:
        names.add(options["name"])
        return original(*arguments, **options)

    setattr(module, function, noted)


def installing(state: State) -> list[str]:
    """The operations that are to be run: those whose name, behind the component's, was noted."""
    return [
        key for key in in_order(state) if any(name.rpartition(" | ")[2] in names for name in state.op_meta[key].names)
    ]


for module, function in (
    (apt, "packages"),
    (python, "environment"),
    (download, "file"),
    (download, "unpacked"),
    (download, "program"),
):
    note(module, function)
State.get_op_order = installing  # type: ignore[method-assign]
main()
