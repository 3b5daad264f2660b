"""What a host must have before anything on it is changed."""

from __future__ import annotations

from io import StringIO

from pyinfra import host
from pyinfra.api.exceptions import PyinfraError

from deploys.checks.emptied_storage import emptied_storage
from deploys.checks.foreign import foreign
from deploys.checks.identity import another_database
from deploys.checks.left_files import left_files
from deploys.checks.left_jobs import left_jobs
from deploys.checks.surroundings import surroundings
from deploys.ckan import ENVIRONMENT, INI
from facts.ckan_data import Holdings, HoldingsState, Location
from facts.host import Basics
from operations import clock, variables
from settings.ckan import CkanSettings
from settings.host import HostSettings
from settings.releases import RELEASES, Release


def preflight(settings: HostSettings) -> Release:
    """Return the host's release.

    Raises ``PyinfraError`` with all that stands in the way: release, architecture, init system, memory, what is around
    the portal, data that would be left behind or that are others than they were, a portal that is not ours.
    """
    clock.say_if_off()
    basics = host.get_fact(Basics)
    if basics is None:
        raise PyinfraError(f"{host.name}: its operating system cannot be told; is it one of {_supported()}?")
    variables.use(settings.base.variables)
    problems = []
    if basics.codename not in RELEASES:
        problems.append(f"it runs {basics.name or 'an unknown system'}; supported are {_supported()}")
    if basics.architecture != "x86_64":
        problems.append(f"its architecture is {basics.architecture}; supported is x86_64")
    if not basics.systemd:
        problems.append("systemd is not its init system")
    if basics.memory < (least := settings.base.minimum_memory or 0):
        problems.append(f"it has {basics.memory} MiB of memory, less than base_minimum_memory = {least}")
    if basics.space < settings.base.minimum_space:
        wanted = settings.base.minimum_space
        problems.append(f"/ has {basics.space} GiB free, less than base_minimum_space = {wanted}")
    release = RELEASES.get(basics.codename)
    problems += surroundings(settings, release)
    ours, problem = foreign(settings, release) if release else (True, "")
    if problem:
        problems.append(problem)
    elif ours:  # of a portal that is not, root runs nothing to ask it
        problems += left_files(settings)
        if settings.ckan:
            problems += filter(None, (_left_behind(settings.ckan), left_jobs(settings.ckan)))
    if settings.minio and (problem := emptied_storage(settings.minio)):
        problems.append(problem)
    if release and (problem := another_database(settings, release)):
        problems.append(problem)
    if problems:
        raise PyinfraError(f"{host.name} cannot be deployed, nothing was changed: {'; '.join(problems)}")
    return RELEASES[basics.codename]


def _left_behind(settings: CkanSettings) -> str:
    """Say so when the portal would go from a database with data to one without them; empty when it would not."""
    old = host.get_fact(Location, ini=INI)
    if old in ("", settings.database_location, settings.database_leave_behind):
        return ""
    ours = (settings.site_id, settings.sysadmin)
    there = host.get_fact(Holdings, path=ENVIRONMENT, ini=INI, ours=ours)
    if there.answers and there.empty:
        return ""
    new = host.get_fact(
        Holdings,
        path=ENVIRONMENT,
        ini=INI,
        ours=ours,
        database=(settings.database_host, settings.database_port, settings.database_name),
        role=settings.database_role,
        _stdin=StringIO(f"{settings.database_password.unmask()}\n"),
    )
    if there.answers and new.answers and new.succeeds(there):
        return ""
    return (
        f"its database would become {settings.database_location}, which {_would_be(new)}, while the present one, "
        f"{old}, {_holds(there)}; move the data as docs/services.md has it, or "
        f'leave the old one behind with ckan_database_leave_behind = "{old}"'
    )


def _would_be(new: HoldingsState) -> str:
    if not new.answers:
        return "does not answer or does not exist yet"
    return "holds nothing" if new.empty else _holds(new)


def _holds(state: HoldingsState) -> str:
    if not state.answers:
        return "does not answer, so that nobody can tell what it holds"
    last = f", last changed at {state.newest[:19]} UTC" if state.newest else ""
    return f"holds {state.datasets} datasets{last}, {state.groups} groups and organizations, and {state.users} users"


def _supported() -> str:
    return ", ".join(release.name for release in RELEASES.values())
