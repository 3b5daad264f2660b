"""Settings of the component solr."""

from __future__ import annotations

from typing import ClassVar

from settings.component import Component, configured, derived

# The digest of the full distribution as Apache's own container image pins it (apache/solr-docker, 9.10).
_SHA512 = (
    "23915ba0c9eba81d9ed7dd46bf3dfa748a1cf12cfd1d2bc3c37e3022893b8d45"
    "a6d6dc078ee79e33c0367191c3e4f2d1df3c6f5705331ccfe13d6b1287812eb0"
)


class SolrSettings(Component):
    """Solr: the search. Solr 9; CKAN 2.11 does not document Solr 10."""

    prefix: ClassVar[str] = "solr"
    group: ClassVar[str] = "solr"

    version: str = configured(
        "9.10.1", "Version of the distribution", allowed="a version of Solr 9", pattern=r"^9\.[0-9]+\.[0-9]+$"
    )
    sha512: str = configured(
        _SHA512,
        "SHA-512 of solr-VERSION.tgz",
        allowed="128 hexadecimal digits in lower case",
        pattern=r"^[0-9a-f]{128}$",
    )
    mirror: str = configured(
        "https://archive.apache.org/dist/solr/solr",
        "Where VERSION/solr-VERSION.tgz is downloaded",
        allowed="a URL",
        pattern=r"^https?://\S+$",
    )
    port: int = configured(8983, "TCP port", ge=1024, le=65535)
    heap: str = configured("512m", "Java heap", allowed="a size in m or g", pattern=r"^[1-9][0-9]*[mg]$")
    core: str = configured(
        "ckan",
        "Name of CKAN's core",
        allowed="lower case letters, digits and _, a letter first",
        pattern=r"^[a-z][a-z0-9_]*$",
    )
    bind: str = derived(
        "Address to listen on", "loopback, or the host's address where the portal is another host", "address groups"
    )
    clients: tuple[str, ...] = derived(
        "Addresses of the other hosts that use it", "the portal's address where that is another host", "address groups"
    )
    schema_requirement: str = derived(
        "Line of the CKAN lock whose wheel holds the schema", "read from locks/ckan-schema.json", "locks"
    )
    schema_sha256: str = derived("SHA-256 of that schema", "read from locks/ckan-schema.json", "locks")

    @property
    def url(self) -> str:
        """URL of CKAN's core."""
        bind = f"[{self.bind}]" if ":" in self.bind else self.bind
        return f"http://{bind}:{self.port}/solr/{self.core}"
