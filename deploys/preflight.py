"""What a host must have before anything on it is changed."""

from __future__ import annotations

from pyinfra import host
from pyinfra.api.exceptions import PyinfraError

from facts.host import Basics
from operations import connection
from settings.releases import RELEASES, Release
from settings.resolve import HostSettings


def preflight(settings: HostSettings) -> Release:
    """Return the host's release.

    Raises ``PyinfraError`` with all that stands in the way: release, architecture, init system, memory, space.
    """
    connection.hasten()
    basics = host.get_fact(Basics)
    if basics is None:
        raise PyinfraError(f"{host.name}: its operating system cannot be told; is it one of {_supported()}?")
    problems = []
    if basics.codename not in RELEASES:
        problems.append(f"it runs {basics.name or 'an unknown system'}; supported are {_supported()}")
    if basics.architecture != "x86_64":
        problems.append(f"its architecture is {basics.architecture}; supported is x86_64")
    if not basics.systemd:
        problems.append("systemd is not its init system")
    if basics.memory < settings.base.minimum_memory:
        wanted = settings.base.minimum_memory
        problems.append(f"it has {basics.memory} MiB of memory, less than base_minimum_memory = {wanted}")
    if basics.space < settings.base.minimum_space:
        wanted = settings.base.minimum_space
        problems.append(f"/ has {basics.space} GiB free, less than base_minimum_space = {wanted}")
    if problems:
        raise PyinfraError(f"{host.name} cannot be deployed, nothing was changed: {'; '.join(problems)}")
    return RELEASES[basics.codename]


def _supported() -> str:
    return ", ".join(release.name for release in RELEASES.values())
