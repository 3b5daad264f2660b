"""Settings of the component scheduled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from settings.component import Component, configured, derived

# What any flavour has: name, what it is for, when it runs by default.
JOBS = {
    "notify": ("Mail people about new activities that they follow", "hourly"),
    "tracking": ("Count page views", "hourly"),
    "run-jobs-dcor-depot": ("Make up for background jobs of dcor_depot", "01:00"),
    "dcor-prune-stale-multipart-uploads": ("Remove uploads to the object storage that were given up", "01:30"),
    "run-jobs-dcor-schemas": ("Make up for background jobs of dcor_schemas", "02:00"),
    "dcor-prune-draft-datasets": ("Remove draft datasets that were given up", "02:30"),
    "run-jobs-dc-view": ("Make up for background jobs of dc_view", "03:00"),
    "run-jobs-dc-serve": ("Make up for background jobs of dc_serve", "04:00"),
}
_TIME = r"^(hourly|((Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?([01][0-9]|2[0-3]):[0-5][0-9])?$"


def _known(name: str) -> str:
    if name not in JOBS:
        near = next(iter(get_close_matches(name, JOBS, n=1)), "")
        known = f"do you mean {near}?" if near else f"there are {', '.join(JOBS)}"
        raise ValueError(f"{name!r} is no job that can be scheduled; {known}")
    return name


_Name = Annotated[str, AfterValidator(_known)]
_Time = Annotated[str, Field(pattern=_TIME)]


@dataclass(frozen=True)
class Job:
    """A job that is scheduled.

    + name: as in ``JOBS``
    + calendar: when it runs, as systemd writes it
    + arguments: what it is, as arguments of CKAN's command
    """

    name: str
    description: str
    calendar: str
    arguments: tuple[str, ...]

    @property
    def with_workers(self) -> bool:
        """Whether it does itself what workers do, at the same time as they."""
        return self.name.startswith("run-jobs-")


class ScheduledSettings(Component):
    """Scheduled jobs of CKAN and DCOR, as systemd's timers: on the portal's host, once for the whole portal."""

    prefix: ClassVar[str] = "scheduled"
    group: ClassVar[str] = "portal"

    flavour: Literal["ckan", "dcor"] = derived("The portal's flavour", "the portal's", "portal_flavour")
    tracks: bool = derived("Whether page views are counted", "so with CKAN's plugin tracking", "ckan_plugins")
    notifies: bool = derived(
        "Whether people are told of new activities",
        "so with CKAN's plugin activity, its option ckan.activity_streams_email_notifications, and a mail server",
        "ckan_plugins ckan_options ckan_smtp_server",
    )
    times: dict[_Name, _Time] = configured(
        {},
        "When jobs run that shall not run at their usual time (docs/jobs.md); empty: never",
        allowed="a dictionary of jobs and times: 04:00 (daily, the host's time zone), Sun 04:00, hourly, or empty",
        example={"run-jobs-dc-serve": "05:30", "dcor-prune-draft-datasets": ""},
    )
    limit: int = configured(21600, "Longest run of a job; then it is ended", unit="seconds", ge=1)
    modified_days: int = configured(
        1, "Flavour dcor: jobs are made up for in datasets changed since then", unit="days", ge=0
    )
    multipart_days: int = configured(
        5, "Flavour dcor: uploads begun longer ago and never completed are removed", unit="days", ge=1
    )
    draft_days: int = configured(21, "Flavour dcor: draft datasets that are older are removed", unit="days", ge=1)

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs that run here."""
        found = []
        for name, arguments in self._wanted():
            description, usual = JOBS[name]
            if time := self.times.get(name, usual):
                found.append(Job(name, description, _calendar(time), arguments))
        return tuple(found)

    @property
    def others(self) -> tuple[str, ...]:
        """Names of the jobs that do not run here: of the other flavour, not needed, or switched off."""
        ours = {job.name for job in self.jobs}
        return tuple(name for name in JOBS if name not in ours)

    def _wanted(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        if self.notifies:
            yield "notify", ("notify", "send_emails")
        if self.tracks:
            yield "tracking", ("tracking", "update")
        if self.flavour == "dcor":
            for name in JOBS:
                if name.startswith("run-jobs-"):
                    yield name, (name, "--modified-days", str(self.modified_days))
            prune = "dcor-prune-stale-multipart-uploads"
            yield prune, (prune, "--initiated-before-days", str(self.multipart_days))
            prune = "dcor-prune-draft-datasets"
            yield prune, (prune, "--older-than-days", str(self.draft_days))


def _calendar(time: str) -> str:
    """TIME of the settings as systemd writes it."""
    if time == "hourly":
        return "*-*-* *:00:00"
    day, _, clock = time.rpartition(" ")
    return f"{day} *-*-* {clock}:00".lstrip()
