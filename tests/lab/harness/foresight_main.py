"""Runs pyinfra with the arguments that follow the first, a file into which go the notes that foresight was given.

On a bare host every operation is going to change something, and notes what: so these are all the files, packages and
units that the product manages, new ones included.
"""

import atexit
import json
import sys
from collections.abc import Iterable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from pyinfra_cli.main import main

from operations import foresight

target = Path(sys.argv.pop(1))
notes: dict[str, list[str]] = {}
original = foresight._note


def note(kind: str, names: Iterable[str]) -> None:
    names = list(names)
    notes.setdefault(kind, []).extend(name for name in names if name not in notes.get(kind, []))
    original(kind, names)


foresight._note = note
atexit.register(lambda: target.write_text(json.dumps(notes)))
main()
