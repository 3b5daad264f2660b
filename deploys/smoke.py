"""Smoke test: does the portal answer, with the right CKAN and a search that works?"""

from __future__ import annotations

from urllib.parse import urlsplit

from pyinfra.api.deploy import deploy

from operations import smoke as check
from settings.ckan import CkanSettings
from settings.nginx import NginxSettings

_TRUE = ("true", "yes", "on", "y", "t", "1")  # CKAN's


@deploy("Smoke")
def smoke(ckan: CkanSettings, nginx: NginxSettings) -> None:
    """Ask the portal on its own host with curl (from base); the last component, since it needs all others."""
    hidden = ckan.all_options.get("ckan.hide_version", "").lower() in _TRUE
    check.portal(
        name="Check that the portal answers",
        fqdn=nginx.fqdn,
        certificate=nginx.certificate_path,
        version=None if hidden else ckan.version,
        timeout=ckan.start_seconds,
        solr=urlsplit(ckan.solr_url).hostname or "this host",
    )
