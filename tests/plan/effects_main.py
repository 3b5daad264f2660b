"""Plans several inventories offline, and notes all that the operations are asked to do: ``python … JOBS``.

JOBS is a JSON file: a list of ``[inventory, notes, environment]``. Of each inventory the run's notes go into the file
NOTES: one line of JSON for each operation and each command that it would give, secrets and texts included. The programs
are loaded once; each plan is a process of its own.
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import sys
from collections.abc import Callable, Generator, Mapping
from dataclasses import fields, is_dataclass
from io import StringIO
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pyinfra import context
from pyinfra.api import StringCommand
from pyinfra.api.hiddenvalue import HiddenValue
from pyinfra_cli.main import main

from settings.secret import Secret

ROOT = Path(__file__).resolve().parents[2]
NOTES: list[list[Any]] = []
pyinfra_operation: Any = sys.modules["pyinfra.api.operation"]  # the package has a function of that name
_wrap = pyinfra_operation._wrap_operation


def clear(value: Any) -> Any:
    """VALUE as JSON holds it, with its secrets."""
    if isinstance(value, HiddenValue):
        return value.unmask() if isinstance(value, Secret) else vars(value)
    if isinstance(value, StringCommand):
        return [clear(bit) for bit in value.bits] + [clear(value.connector_arguments)]
    if is_dataclass(value):
        return [type(value).__name__, *(clear(getattr(value, field.name)) for field in fields(value))]
    if isinstance(value, StringIO):
        return value.getvalue()
    if isinstance(value, Mapping):
        return {str(key): clear(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted(map(str, value))
    if isinstance(value, list | tuple):
        return [clear(item) for item in value]
    if value is None or isinstance(value, str | int | float):
        return value
    return clear(vars(value)) if hasattr(value, "__dict__") else str(value)


def noting(func: Callable[..., Generator[Any, None, None]], **options: Any) -> Any:
    @functools.wraps(func)
    def noted(*args: Any, **kwargs: Any) -> Generator[Any, None, None]:
        assert context.host.current_op_hash
        (name,) = context.state.get_op_meta(context.host.current_op_hash).names
        NOTES.append([name, func.__name__, clear(args), clear(kwargs)])
        for command in func(*args, **kwargs):
            NOTES.append([name, func.__name__, clear(command)])
            yield command

    return _wrap(noted, **options)


pyinfra_operation._wrap_operation = noting  # before any operation is defined

for folder in ("settings", "facts", "pyinfra_adapter", "operations", "deploys"):  # what takes long, once
    for path in sorted((ROOT / folder).glob("[a-z]*.py")):
        importlib.import_module(f"{folder}.{path.stem}")


def start(inventory: str, notes: Path, environment: Mapping[str, str]) -> None:
    """Begin to plan INVENTORY in a process of its own."""
    if os.fork():
        return
    said = os.open(notes.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    os.environ.update(environment)
    sys.argv[:] = ["pyinfra", inventory, "deploy.py", "--dry"]
    status = 1
    try:
        main()
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        notes.write_text("".join(f"{json.dumps(note)}\n" for note in NOTES))
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    running, most = 0, len(os.sched_getaffinity(0))
    for inventory, notes, environment in json.loads(Path(sys.argv[1]).read_text()):
        if running == most:
            os.wait()
            running -= 1
        start(inventory, Path(notes), environment)
        running += 1
    for _ in range(running):
        os.wait()
