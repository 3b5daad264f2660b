"""Apply an operation or a deploy to this machine through pyinfra's API; tell what was predicted and what changed."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.deploy import add_deploy
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.api.state import StateStage

Applicable = Callable[..., Any]
_inventory: Any = Inventory  # pyinfra's constructors have no types
_config: Any = Config


@dataclass(frozen=True)
class Outcome:
    """Names of the operations that were predicted to change and that did; a failed run's OUTPUT holds its errors."""

    predicted: list[str]
    changed: list[str]
    failed: bool
    output: str


def new_state(hosts: list[Any], data: dict[str, Any] | None = None, *, diff: bool = False, **groups: Any) -> Any:
    """Return an inventory of HOSTS with DATA for all, and the state of a run on it; GROUPS as pyinfra takes them."""
    inventory = _inventory((hosts, data or {}), **groups)
    return inventory, State(inventory, _config(DIFF=diff))


def apply(function: Applicable, *, deploy: bool = False, dry: bool = False, diff: bool = False, **kw: Any) -> Outcome:
    """Apply FUNCTION, an operation or (with ``deploy``) a deploy, once.

    + dry: only predict
    + diff: as pyinfra's ``--diff``
    + kw: FUNCTION's arguments
    """
    inventory, state = new_state(["@local"], diff=diff)
    state.cwd = os.getcwd()  # noqa: PTH109
    connect_all(state)
    try:
        state.set_stage(StateStage.Prepare)
        (add_deploy if deploy else add_op)(state, function, **kw)
        host = inventory.get_host("@local")
        order = state.get_op_order()
        metas = [(", ".join(state.op_meta[key].names), state.ops[host][key].operation_meta) for key in order]
        predicted = [name for name, meta in metas if meta._maybe_is_change]
        if dry:
            return Outcome(predicted, [], False, "")
        state.set_stage(StateStage.Execute)
        failed = False
        try:
            run_ops(state)
        except PyinfraError:
            failed = True
        complete = [(name, meta) for name, meta in metas if meta.is_complete()]
        output = "\n".join(line for _, meta in complete for line in (*meta.stdout_lines, *meta.stderr_lines))
        return Outcome(predicted, [name for name, meta in complete if meta.did_change()], failed, output)
    finally:
        disconnect_all(state)


def settle(function: Applicable, *, deploy: bool = False, **kw: Any) -> Outcome:
    """Apply FUNCTION twice: what the first run predicts it changes, and the second finds nothing to do."""
    first = apply(function, deploy=deploy, **kw)
    assert not first.failed, first.output
    assert first.changed == first.predicted
    second = apply(function, deploy=deploy, **kw)
    assert (second.predicted, second.changed, second.failed) == ([], [], False), second.output
    return first


def changed(function: Applicable, **kw: Any) -> bool:
    """Whether FUNCTION changes something, as ``settle`` applies it."""
    return bool(settle(function, **kw).changed)


def mode(path: Path) -> int:
    """Return the permissions of PATH; a link is not followed."""
    return stat.S_IMODE(path.lstat().st_mode)


def shim(folder: Path, command: str, body: str) -> None:
    """Put a shell script named COMMAND into FOLDER, which is at the front of PATH; ``$REAL`` is the real one."""
    rest = os.pathsep.join(p for p in os.environ["PATH"].split(os.pathsep) if p != str(folder))
    real = shutil.which(command, path=rest) or "/nonexistent"
    path = folder / command
    path.write_text(f"#!/bin/sh\nREAL={real}\n{body}\n")
    path.chmod(0o755)
