"""Run the tests of DCOR's packages on a development host: ``python -m tasks.test_extensions INVENTORY [PACKAGE…]``.

The tests get a database, a site in the search index, buckets and folders of their own there, which are removed again;
else they run with the portal's own configuration, services and object storage. Refused on any other portal. The exit
status is 1 when a test failed; each is named, with what was wrong. See docs/environments.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from io import StringIO
from pathlib import Path
from typing import Any

from pyinfra.api import QuoteString, StringCommand
from pyinfra.api.exceptions import PyinfraError
from pyinfra_cli.util import parse_cli_arg

from facts.stdin import REST
from settings.data_files import files_of
from settings.develop import FOLDER, PACKAGES
from tasks.develop_host import connected, development_host

_PROGRAM = Path(__file__).with_name("extension_tests_host.py")
# Some tests ask for the site of the name that CKAN's tests have: nothing of that may leave the host. Some write beside
# their code, as CKAN's user: into a layer that is gone with them.
_APART = r"""
set -e; mount -t tmpfs tmpfs /mnt; mkdir /mnt/new /mnt/work
{ cat /etc/hosts; echo "127.0.0.1 test.ckan.net"; } > /mnt/hosts; mount --bind /mnt/hosts /etc/hosts
mount -t overlay overlay -o "lowerdir=$1,upperdir=/mnt/new,workdir=/mnt/work" "$1"; chown -hR www-data "$1"
exec python3 - "$@"
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run what was asked for; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m tasks.test_extensions", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("inventory", metavar="INVENTORY", help="as pyinfra takes it: inventory/dev.py")
    parser.add_argument("package", metavar="PACKAGE", nargs="*", help=f"of {', '.join(PACKAGES)}; default: all")
    parser.add_argument("--data", metavar="NAME=VALUE", action="append", default=[], help="as pyinfra takes it")
    options = parser.parse_intermixed_args(arguments)
    data = {name: parse_cli_arg(value) for name, _, value in (one.partition("=") for one in options.data)}
    try:
        if unknown := set(options.package) - set(PACKAGES):
            raise PyinfraError(f"{', '.join(sorted(unknown))}: no package of DCOR's; there are {', '.join(PACKAGES)}")
        inventory, name, _ = development_host(options.inventory, data)
        with connected(inventory, name, files_of(options.inventory)) as host:
            return _run(host, options.package or list(PACKAGES))
    except PyinfraError as error:
        print(error, file=sys.stderr)
        return 1


def _run(host: Any, packages: list[str]) -> int:
    """Test each of PACKAGES in turn, print what came of it; return the exit status."""
    status = 0
    for package in packages:
        words = [QuoteString(FOLDER), QuoteString(package)]
        program = StringIO(_PROGRAM.read_text())
        # The program is the standard input; its own way to the host is short of an upload, and leaves nothing there.
        done, output = host.run_shell_command(
            StringCommand("unshare --mount sh -c", QuoteString(_APART), "ckan-deploy", *words, *REST),
            _sudo=True,
            _stdin=program,
        )
        if not done:
            raise PyinfraError(f"{package}: {output.stderr.strip() or output.stdout.strip()}")
        result = json.loads(output.stdout_lines[-1])
        print(_text(result), flush=True)
        status |= bool(result.get("error") or result.get("failed"))
    return status


def _text(result: dict[str, Any]) -> str:
    if error := result.get("error"):
        return f"{result['package']}: {error}"
    failed = result["failed"]
    lines = [f"{result['package']}: {result['passed']} passed, {result['skipped']} skipped, {len(failed)} failed"]
    for test, reason in failed.items():
        lines.append(f"  {test}")
        lines += [f"    {line}" for part in reason for line in part.splitlines()]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
