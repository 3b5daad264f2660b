"""Settings of the component nginx."""

from __future__ import annotations

from typing import ClassVar, Literal

from settings.component import Component, configured, derived


class NginxSettings(Component):
    """nginx: TLS, allow-lists and caches in front of CKAN. Sizes are MiB, times seconds unless named."""

    prefix: ClassVar[str] = "nginx"

    flavour: Literal["ckan", "dcor"] = derived("The portal's flavour")
    fqdn: str = derived("The portal's name")
    aliases: tuple[str, ...] = configured((), "More names under which the portal answers")
    upstream: str = derived("Address and port of uWSGI's HTTP socket")
    upload_limit: int = derived("Largest request body, MiB; the same for nginx, uWSGI and CKAN")
    certificate_path: str = derived("PEM chain on the host")
    key_path: str = derived("PEM key on the host")
    key_stamp: tuple[str, ...] = derived("Files that a reload must follow besides nginx's own")
    cache_dir: str = configured("/var/cache/nginx", "Folder of the proxy caches", pattern=r"^/")
