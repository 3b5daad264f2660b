"""What is set, from where, and what is wrong: ``python -m settings INVENTORY [--host HOST] [--mine] [--json] [NAME…]``.

Offline: no host is connected to, nothing is asked, and no secret is opened. The exit status is 1 when something is
wrong, 2 for wrong usage. ``--mine`` shows only what is set in the repository, no defaults; ``--changed-from REF`` what
differs from another state of it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from collections.abc import Sequence

from pyinfra.api.exceptions import PyinfraError
from pyinfra_cli.util import parse_cli_arg

from settings import changes, report
from settings.commandline import check_group_data, check_inventory
from settings.data_files import files_of
from settings.host import COMPONENTS
from settings.loading import load
from settings.offline import Offline
from settings.resolve import Resolution, examine, store_for
from settings.schema import nearest, settings
from settings.sources import from_inventory


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what was asked for; return the exit status."""
    options = _parser().parse_intermixed_args(arguments)
    try:
        found, store = _examine(options.inventory, _data(options.data))
        rows = _chosen(report.rows(found, store), options.host, options.name, found)
        if options.mine:
            rows = [row for row in rows if row.mine]
        if options.changed_from is not None:
            differences = changes.since(options.changed_from, options.inventory, rows, found, options.data)
            print(json.dumps(differences, indent=2) if options.json else changes.as_text(differences))
            return _complain(found)
    except PyinfraError as error:
        if not options.json:
            print(error, file=sys.stderr)
            return 1
        print(json.dumps({"hosts": {}, "problems": [{"text": line} for line in str(error).splitlines()]}, indent=2))
        return 1
    if options.json:
        print(json.dumps(report.as_json(rows, found), indent=2))
    else:
        print(report.as_table(rows, found) or "nothing of this is set in the repository")
        _complain(found)
    return 1 if found.problems else 0


def _complain(found: Resolution) -> int:
    """Say all that is wrong; return the exit status."""
    for line in [f"\n{len(found.problems)} wrong:", *map(str, found.problems)] if found.problems else []:
        print(line, file=sys.stderr)
    return 1 if found.problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m settings", description="What is set, from where, and what is wrong; offline."
    )
    parser.add_argument("inventory", metavar="INVENTORY", help="as pyinfra takes it: inventory/production.py")
    parser.add_argument("name", metavar="NAME", nargs="*", help="only these settings, or those of these components")
    parser.add_argument("--host", metavar="HOST", help="only this host")
    parser.add_argument("--data", metavar="NAME=VALUE", action="append", default=[], help="as pyinfra takes it")
    parser.add_argument("--mine", action="store_true", help="only what is set in the repository: no defaults")
    parser.add_argument("--json", action="store_true", help="for programs, on standard output")
    parser.add_argument(
        "--changed-from",
        metavar="GIT-REF",
        help="what differs from that state of inventory/ and group_data/, both read with the schema of today",
    )
    return parser


def _data(given: list[str]) -> dict[str, object]:
    """Return what ``--data`` sets, as pyinfra reads it."""
    if wrong := next((one for one in given if "=" not in one), None):
        _parser().error(f"--data {wrong}: write NAME=VALUE")
    return {name: parse_cli_arg(value) for name, _, value in (one.partition("=") for one in given)}


def _examine(inventory: str, data: dict[str, object]) -> tuple[Resolution, Offline]:
    check_inventory(inventory)
    check_group_data()
    files = files_of(inventory)
    hosts = from_inventory(load(inventory, files, data), files)
    store = Offline(store_for(hosts, files.given))
    return examine(hosts, store, files), store


def _chosen(rows: list[report.Row], host: str | None, names: list[str], found: Resolution) -> list[report.Row]:
    """Return the rows of HOST and NAMES. Raises ``PyinfraError`` for those that do not exist."""
    hosts = list(found.values.sources)
    if host is not None and host not in hosts:
        near = nearest(host, hosts)
        raise PyinfraError(f"there is no host {host}; {f'did you mean {near}?' if near else f'there are {hosts}'}")
    components = {component.prefix for component in COMPONENTS}
    for name in names:
        if name not in settings() and name not in components:
            near = nearest(name, [*settings(), *components])
            advice = f"did you mean {near}?" if near else "docs/settings.md lists all settings"
            raise PyinfraError(f"{name} is no setting and no component; {advice}")
    chosen = [
        row
        for row in rows
        if host in (None, row.host)
        and (not names or row.name in names or settings()[row.name].component.prefix in names)
    ]
    if not chosen and (host or names) and not found.problems:  # a group without its host is one of them
        raise PyinfraError(f"{host or 'no host'} has none of {', '.join(names)}")
    return chosen


def _until_nobody_reads() -> int:
    """Run ``main``; a reader that has seen enough (``| head``) ends it quietly, with the status of programs in C."""
    try:
        status = main()
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it ends
        return 128 + signal.SIGPIPE
    return status


if __name__ == "__main__":
    sys.exit(_until_nobody_reads())
