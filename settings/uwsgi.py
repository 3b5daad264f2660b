"""Settings of the component uwsgi."""

from __future__ import annotations

from typing import ClassVar

from settings.component import Component, configured, derived

STOP_SECONDS = 60  # of uWSGI itself


class UwsgiSettings(Component):
    """uWSGI under supervisor: runs CKAN's web application."""

    prefix: ClassVar[str] = "uwsgi"
    group: ClassVar[str] = "portal"

    port: int = configured(8080, "TCP port on loopback, HTTP", ge=1, le=65535)
    workers: int = configured(4, "Processes: so many requests at once", ge=1, le=256)
    harakiri: int = configured(
        36000, "Longest request (DCOR's manual: 10 hours, for long uploads)", unit="seconds", ge=10
    )
    max_requests: int = configured(1000, "Requests after which a worker is replaced", ge=1)
    socket_timeout: int = configured(500, "Longest silence of nginx (slow disks, slow clients)", unit="seconds", ge=4)
    scratch_path: str = configured(
        "/var/cache",
        "Folder in which uploads on their way have a folder of theirs, ckan-uploads; needs room for two of the largest",
        allowed="an absolute path of letters, digits and ._-",
        pattern=r"^(/[A-Za-z0-9._-]+)+$",
    )
    stop_seconds: int = derived(
        "Longest stop of supervisor with all its programs",
        f"{STOP_SECONDS} seconds for uWSGI, those of the workers of all queues, and half a minute",
        "workers_stop_seconds",
        unit="seconds",
    )
    upload_limit: int = derived("Largest request body", "the portal's", "portal_upload_limit", unit="MiB")
    local_services: tuple[str, ...] = derived(
        "Services of this very host that CKAN needs, to wait for", "those whose group has the portal's host", "groups"
    )

    @property
    def uploads(self) -> str:
        """Folder of uploads on their way: uWSGI and CKAN each write them there once, before CKAN stores them."""
        return f"{self.scratch_path.rstrip('/')}/ckan-uploads"
