"""Whether a run would change anything: ``python -m tasks.plan INVENTORY [--limit …] [--diff]``; for programs, too.

Prints the plan as ``pyinfra INVENTORY deploy.py --dry`` does. The exit status is 0 when nothing would change, 2 when
something would, and 1 when no plan could be made.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from pyinfra_cli.main import main as pyinfra
from typing_extensions import override

from pyinfra_adapter import interrupt, verdict

CHANGES, ERROR = 2, 1
_REPEATED = ("limit", "exclude", "data", "group-data")  # as pyinfra takes them


class _Parser(argparse.ArgumentParser):
    """A parser for which wrong usage is an error like any other: 2 says that something would change."""

    @override
    def error(self, message: str) -> NoReturn:
        """Say what is wrong and end."""
        self.print_usage(sys.stderr)
        self.exit(ERROR, f"{self.prog}: error: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the plan; return the exit status."""
    options = vars(_parser().parse_args(arguments))
    words = [options["inventory"], "deploy.py", "--dry"]
    for name in _REPEATED:
        words += [word for value in options[name.replace("-", "_")] for word in (f"--{name}", value)]
    sys.argv[1:] = [*words, *(["--diff"] if options["diff"] else [])]
    try:
        pyinfra()
    except SystemExit as end:
        if end.code == interrupt.STATUS:
            raise
        if end.code in (0, None) and verdict.planned is not None:
            return CHANGES if verdict.planned else 0
    return ERROR


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m tasks.plan",
        description="Whether a run would change anything: exit status 0 for nothing, 2 for changes, 1 for an error.",
        allow_abbrev=False,
    )
    parser.add_argument("inventory", metavar="INVENTORY", help="as pyinfra takes it: inventory/production.py")
    for name in _REPEATED:
        parser.add_argument(f"--{name}", action="append", default=[], help="as pyinfra takes it")
    parser.add_argument("--diff", action="store_true", help="with the differences of files, secrets masked")
    return parser


if __name__ == "__main__":
    sys.exit(main())
