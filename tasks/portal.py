"""The portal's host of an inventory, for a task: its settings, and a connection as pyinfra's command line has it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NoReturn

from pyinfra.api import Config, Host, State, StringCommand
from pyinfra.api.exceptions import PyinfraError

from operations.files import script
from pyinfra_adapter import reach
from settings import masking
from settings.commandline import check_group_data, check_inventory
from settings.data_files import files_of
from settings.host import HostSettings
from settings.loading import load
from settings.outline import Outline
from settings.places import places
from settings.resolve import resolve, store_for
from settings.sources import from_inventory


@dataclass(frozen=True)
class Portal:
    """A connected portal.

    + settings: with stand-ins for the secrets: a task that needs none opens none, and asks for no passphrase
    """

    host: Host
    settings: HostSettings

    def run(self, body: str, *arguments: str, stdin: str = "", seconds: int = 120) -> list[str]:
        """Run the shell script BODY there as root; return its output's lines. STDIN never shows.

        Raises ``PyinfraError`` with what it said when it fails.
        """
        command: StringCommand = script(body, *arguments, stdin=stdin)
        done, output = self.host.run_shell_command(
            command,
            print_output=False,
            print_input=False,
            _sudo=True,
            _timeout=seconds,
            _env=self.settings.base.variables,
            **command.connector_arguments,
        )
        if not done:
            raise PyinfraError(f"{self.host.name}: {' '.join(output.stderr_lines[-3:]) or 'the command failed'}")
        return list(output.stdout_lines)


@contextmanager
def connected(inventory: str) -> Iterator[Portal]:
    """Connect to the portal's host of INVENTORY, and to no other.

    Raises ``PyinfraError``: there is no such inventory, its settings are wrong, or the host cannot be reached.
    """
    check_inventory(inventory)
    check_group_data()
    files = files_of(inventory)
    loaded = load(inventory, files)
    sources = from_inventory(loaded, files)
    found = resolve(sources, Outline(store_for(sources, files.given)), files)
    name = next((name for name, settings in found.items() if settings.nginx), "")
    if not name:
        raise PyinfraError(f"{inventory} has no host in group portal")
    host = loaded.get_host(name)
    state = State(
        inventory=loaded,
        config=Config(SUDO=True),  # type: ignore[no-untyped-call]
        initial_limit=[host],
    )
    reach.prepare()
    reach.connect_all(state, places(loaded, files))
    try:
        yield Portal(host, found[name])
    finally:
        host.disconnect()


def main(task: Callable[[], str]) -> NoReturn:
    """Run TASK and say what it returns; exit with status 1 and one sentence when it cannot do its work."""
    masking.install()
    try:
        print(task())
    except (PyinfraError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    sys.exit(0)
