"""Settings of the portal as a whole, shared by its components."""

from __future__ import annotations

from typing import ClassVar, Literal

from settings.component import REQUIRED, Component, configured

# What FQDN matches, for errors.
NAMES = "a full host name in lower case, without https:// and path"
# A host name of at least two labels, as RFC 1123 allows them.
FQDN = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"


class PortalSettings(Component):
    """One CKAN site with all its services."""

    prefix: ClassVar[str] = "portal"
    group: ClassVar[str] = "portal"

    fqdn: str = configured(
        REQUIRED,
        "Name under which people reach the portal",
        allowed=NAMES,
        example="data.example.org",
        pattern=FQDN,
        max_length=253,
    )
    flavour: Literal["ckan", "dcor"] = configured("ckan", "Kind of portal: ckan (plain), or dcor")
    upload_limit: int = configured(
        1024, "Largest upload; one limit for nginx, uWSGI and CKAN alike", unit="MiB", ge=1, le=1024 * 1024
    )
