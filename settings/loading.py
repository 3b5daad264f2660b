"""Load an inventory with its group data as pyinfra does, and say in sentences what cannot be loaded."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyinfra.api import Inventory, State
from pyinfra.context import ctx_inventory, ctx_state
from pyinfra_cli.exceptions import UnexpectedExternalError
from pyinfra_cli.inventory import make_inventory

from pyinfra_adapter import inventory_values
from settings.data_files import DataFiles, origin_in
from settings.host import SettingsError
from settings.inventory_shape import misshapen
from settings.origin import Origin, Problem, in_order


def load(
    inventory: str, files: DataFiles, data: Mapping[str, Any] | None = None, more: tuple[str, ...] = ()
) -> Inventory:
    """Return the INVENTORY of the working directory.

    + files: its files
    + data: from the command line
    + more: what ``--group-data`` names

    Raises ``SettingsError`` when a file is no Python, or fails: nothing else can be told of the settings then.
    """
    if problems := [problem for file in files.files() if (problem := _no_python(file))]:
        raise SettingsError([str(problem) for problem in in_order(problems)])
    values: dict[str, Any] = {}
    try:
        with _contexts(), inventory_values.seen() as values:
            found: Inventory = make_inventory(
                inventory, override_data=dict(data or {}), cwd=str(Path.cwd()), group_data_directories=list(more)
            )
    except UnexpectedExternalError as error:
        file = Path(error.filename)
        raise SettingsError([str(_failed(error.exception, file))]) from error
    except SystemExit as error:  # raised in a data file, it would end the run, and with status 0 as if all were well
        raise SettingsError([str(_failed(error, _last(files, error)))]) from error
    except Exception as error:  # pyinfra checks little of what stands in an inventory
        _shape(values, files)
        where = Origin("file", inventory)
        raise SettingsError([str(Problem(f"pyinfra cannot take this inventory: {_said(error)}", where))]) from error
    _shape(values, files)
    return found


def _shape(values: Mapping[str, Any], files: DataFiles) -> None:
    if problems := in_order(misshapen(values, files)):
        raise SettingsError([str(problem) for problem in problems])


@contextmanager
def _contexts() -> Iterator[None]:
    """Have what pyinfra's own command line has while it executes data files, and put it back."""
    state: Any = ctx_state  # they have no types
    inventory: Any = ctx_inventory
    before = state.get(), inventory.get()
    state.set(before[0] or State())
    try:
        yield
    finally:
        state.set(before[0])
        inventory.set(before[1])


def _no_python(file: Path) -> Problem | None:
    try:
        compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
    except SyntaxError as error:
        return Problem(f"this is no Python: {error.msg}; correct it", origin_in(file, error.lineno))
    except (OSError, ValueError) as error:
        return Problem(f"this file cannot be read: {_said(error)}", origin_in(file, None))
    return None


def _failed(error: BaseException, file: Path) -> Problem:
    """Say where in FILE it failed: on the last line of it that was reached."""
    frames = traceback.extract_tb(getattr(error, "_traceback", error.__traceback__))
    lines = [frame.lineno for frame in frames if frame.filename == str(file)]
    return Problem(f"this fails: {_said(error)}; correct it", origin_in(file, lines[-1] if lines else None))


def _last(files: DataFiles, error: BaseException) -> Path:
    """Return which of FILES was executed when ERROR was raised."""
    reached = [Path(frame.filename) for frame in traceback.extract_tb(error.__traceback__)]
    known = {file.resolve(): file for file in files.files()}
    return next((path for path in reversed(reached) if path.resolve() in known), Path(files.inventory or ""))


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
