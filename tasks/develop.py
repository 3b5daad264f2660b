"""Update a development host's checkouts: ``python -m tasks.develop INVENTORY [--ref PACKAGE=REF…] [--dry]``.

Fetches, moves each checkout to the newest of its ref, and deploys the portal with it: what the packages' descriptions
say is installed, and CKAN and its workers are restarted. Work in a checkout that would be lost stops it. With ``--ref``
a package moves to another tag, branch or commit; the next run goes back unless ``develop_refs`` says so, too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from pyinfra.api.exceptions import PyinfraError
from pyinfra_cli.util import parse_cli_arg

from facts.git import Checkouts, CheckoutState
from settings.data_files import files_of
from settings.develop import FOLDER, PACKAGES
from tasks.develop_host import connected, development_host


def main(arguments: Sequence[str] | None = None) -> int:
    """Update; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        chosen = _refs(options.ref)
        data = {name: parse_cli_arg(value) for name, _, value in (one.partition("=") for one in options.data)}
        inventory, name, settings = development_host(options.inventory, data)
        refs = {**settings.refs, **chosen}
        with connected(inventory, name, files_of(options.inventory)) as host:
            before = _checkouts(host)
        command = [sys.executable, "-m", "pyinfra", options.inventory, "deploy.py", "--limit", "portal"]
        for one in [*options.data, f"develop_refs={json.dumps(refs)}", "develop_update=true"]:
            command += ["--data", one]
        status = subprocess.run([*command, "--dry" if options.dry else "-y"], check=False).returncode
        with connected(inventory, name, files_of(options.inventory)) as host:
            after = _checkouts(host)
    except PyinfraError as error:
        print(error, file=sys.stderr)
        return 1
    for line in moves(before, after):
        print(line)
    if {**settings.refs} != refs and not options.dry:
        print(f"the next run goes back unless group data says: develop_refs = {refs!r}")
    return status


def moves(before: Mapping[str, CheckoutState], after: Mapping[str, CheckoutState]) -> list[str]:
    """Say for each checkout what it was and has become."""
    lines = []
    for package in PACKAGES:
        old, new = (states.get(f"{FOLDER}/{package}", CheckoutState()) for states in (before, after))
        if old.head == new.head:
            lines.append(f"{package}: {_at(new)}, as before")
        else:
            lines.append(f"{package}: {_at(old)} -> {_at(new)}")
    return lines


def _at(state: CheckoutState) -> str:
    return f"{state.described} ({state.head[:9]})" if state.head else "not there"


def _checkouts(host: Any) -> dict[str, CheckoutState]:
    wanted = tuple((f"{FOLDER}/{package}", "HEAD") for package in PACKAGES)
    found: dict[str, CheckoutState] = host.get_fact(Checkouts, wanted=wanted)
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tasks.develop", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("inventory", metavar="INVENTORY", help="as pyinfra takes it: inventory/dev.py")
    parser.add_argument("--ref", metavar="PACKAGE=REF", action="append", default=[], help="another tag, branch, commit")
    parser.add_argument("--dry", action="store_true", help="only show the plan")
    parser.add_argument("--data", metavar="NAME=VALUE", action="append", default=[], help="as pyinfra takes it")
    return parser


def _refs(given: Sequence[str]) -> dict[str, str]:
    refs = {package: ref for package, _, ref in (one.partition("=") for one in given)}
    for package, ref in refs.items():
        if package not in PACKAGES or not ref:
            raise PyinfraError(f"--ref {package}={ref}: write PACKAGE=REF; packages are {', '.join(PACKAGES)}")
    return refs


if __name__ == "__main__":
    sys.exit(main())
