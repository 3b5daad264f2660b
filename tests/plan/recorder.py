"""pyinfra, noting the packages that its plan would install: ``python -m tests.plan.recorder NOTES ARGUMENT…``.

``operations.apt.packages`` foretells what it is going to install, by the names that it hands to apt-get in the same
breath; these are appended to the file NOTES, one line of JSON a call: host, names.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest import mock

from pyinfra import host
from pyinfra_cli.main import main

from operations import foresight

_foretell = foresight.will_install


def _run(notes: Path) -> None:
    def note(*packages: str) -> None:
        with notes.open("a") as file:
            file.write(json.dumps([host.name, *packages]) + "\n")
        _foretell(*packages)

    with mock.patch.object(foresight, "will_install", note):
        main()


if __name__ == "__main__":
    _run(Path(sys.argv.pop(1)))
