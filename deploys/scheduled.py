"""Scheduled jobs: CKAN's and DCOR's own, as systemd's timers."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from deploys.ckan import ENVIRONMENT, INI
from operations import files, service
from operations.text import render
from settings.ckan import CkanSettings
from settings.dcor import DcorSettings
from settings.scheduled import ScheduledSettings

_UNITS = "/etc/systemd/system"


@deploy("Scheduled")
def scheduled(settings: ScheduledSettings, ckan: CkanSettings, dcor: DcorSettings | None = None) -> None:
    """Run each job at its time, never twice at once, and no longer than its limit.

    + dcor: of the flavour dcor; its disks must be mounted
    """
    for job in settings.jobs:
        name = _name(job.name)
        files.install(
            name=f"Describe {job.name}",
            dest=f"{_UNITS}/{name}.service",
            text=render(
                "scheduled/job.service.j2",
                job=job,
                name=name,
                unit=f"{name}.service",
                limit=settings.limit,
                environment=ENVIRONMENT,
                ini=INI,
                variables=ckan.program_environment,
                mounts=dcor.mounts if dcor else (),
            ),
        )
        files.install(
            name=f"Describe the timer of {job.name}",
            dest=f"{_UNITS}/{name}.timer",
            text=render("scheduled/job.timer.j2", job=job),
        )
        # The timer starts what systemd knows of the service: it is stale when that was changed since.
        service.follow(name=f"Schedule {job.name}", unit=f"{name}.timer", reads=[f"{_UNITS}/{name}.service"])
    service.units_absent(
        name="Remove jobs that are not scheduled",
        units=[f"{_name(job)}.{kind}" for job in settings.others for kind in ("timer", "service")],
    )


def _name(job: str) -> str:
    """Name of a job's units, without their kind."""
    return f"ckan-scheduled-{job}"
