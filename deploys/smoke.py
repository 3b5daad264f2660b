"""Smoke test: does the portal answer, with the right CKAN and a search that works?"""

from __future__ import annotations

from urllib.parse import urlsplit

from pyinfra.api.deploy import deploy

from deploys.ckan import LOGS
from deploys.workers import PROGRAMS
from operations import smoke as check
from settings.ckan import TRUE, CkanSettings
from settings.nginx import NginxSettings
from settings.workers import WorkersSettings


@deploy("Smoke")
def smoke(ckan: CkanSettings, nginx: NginxSettings, workers: WorkersSettings) -> None:
    """Ask the portal on its own host with curl (from base); the last component, since it needs all others."""
    hidden = ckan.all_options.get("ckan.hide_version", "").lower() in TRUE
    check.portal(
        name="Check that the portal answers",
        fqdn=nginx.fqdn,
        certificate=nginx.certificate_path,
        version=None if hidden else ckan.version,
        timeout=ckan.start_seconds,
        solr=urlsplit(ckan.solr_url).hostname or "this host",
    )
    check.programs(
        name="Check that the workers run",
        programs=[PROGRAMS[queue] for queue, number in workers.queues.items() if number],
        logs=LOGS,
    )
