"""Settings of the component nginx."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from settings.component import Component, configured, derived
from settings.portal import FQDN, NAMES
from settings.rule import Clash, View
from settings.versions import older_than

HSTS_DEFAULT = 63072000  # two years, as Mozilla's guideline has it
_PATHS = "a list of regular expressions"


def _pattern(value: str) -> str:
    """Accept a regular expression that can stand in double quotes in nginx's configuration."""
    if re.search(r'["\s\x00-\x1f]', value):
        raise ValueError(f"{value!r} holds a quote or white space; write \\x22 or \\s")
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(
            f"{value!r} is no regular expression: {error}; escape what stands for itself with \\"
        ) from error
    return value


Pattern = Annotated[str, AfterValidator(_pattern), Field(min_length=1)]


class NginxSettings(Component):
    """nginx: TLS, allow-lists and caches in front of CKAN.

    Paths are regular expressions (PCRE) of what follows the first slash. Those of ``static_paths``, ``read_paths`` and
    ``write_paths`` end with a part of the path: ``group`` is /group and all below it, not /groups, which ``group.*``
    would have, too; ``api/`` is all that follows. ``blocked_paths`` has all that begins so. The allow-lists are for the
    flavour dcor only: ckan is open for all that CKAN does.
    """

    prefix: ClassVar[str] = "nginx"
    group: ClassVar[str] = "portal"

    flavour: Literal["ckan", "dcor"] = derived("The portal's flavour", "the portal's", "portal_flavour")
    fqdn: str = derived("The portal's name", "the portal's", "portal_fqdn")
    aliases: tuple[Annotated[str, Field(pattern=FQDN, max_length=253)], ...] = configured(
        (),
        "More names under which the portal answers",
        allowed=f"a list; each {NAMES}",
        example=["www.data.example.org"],
    )
    upstream: str = derived("Address and port of uWSGI's HTTP socket", "loopback and uWSGI's port", "uwsgi_port")
    upload_limit: int = derived("Largest request body", "the portal's", "portal_upload_limit", unit="MiB", ge=1)
    certificate_path: str = derived("PEM chain on the host", "that of TLS", "tls_certificate_path")
    key_path: str = derived("PEM key on the host", "that of TLS", "tls_key_path")
    self_signed: bool = derived(
        "Whether the certificate is self-signed; HSTS is then off by default",
        "so unless the certificate is provided",
        "tls_source",
        default=True,
    )

    ipv6: bool = configured(True, "Listen on IPv6, too; nginx does not start where the kernel has none", example=False)
    hsts: int | None = configured(
        None,
        "Time for which browsers refuse plain HTTP and any other certificate; 0 for none; by default two years with a "
        "provided certificate, and none with a self-signed one, whose renewal would lock people out",
        unit="seconds",
        allowed="a whole number of at least 0, or None",
        example=31536000,
        ge=0,
    )
    robots: Literal["allow", "deny"] = configured(
        "allow", "Whether search engines may come (CKAN's own robots.txt)", example="deny"
    )
    cache_dir: str = configured(
        "/var/cache/nginx",
        "Folder of caches and of uploads and downloads on their way; needs room for the largest of them",
        allowed="an absolute path of letters, digits and ._-",
        pattern=r"^(/[A-Za-z0-9._-]+)+$",
    )
    cache_size: int = configured(250, "Largest size of the cache of static files", unit="MiB", ge=1)
    cache_keys: int = configured(30, "Memory for the keys of that cache", unit="MiB", ge=1, le=1024)
    cache_validity: int = configured(
        86400, "Time for which a static file is served from the cache", unit="seconds", ge=0
    )
    download_buffer: int = configured(
        100000,
        "Largest answer that nginx takes over on disk, so that slow clients hold no worker; 0 for none",
        unit="MiB",
        ge=0,
    )
    timeout: int = configured(60, "Longest wait for CKAN", unit="seconds", ge=1)
    upload_timeout: int = configured(
        500,
        "Longest wait for CKAN after an upload: package_revise (dcor), everything (ckan)",
        unit="seconds",
        ge=1,
    )
    static_paths: tuple[Pattern, ...] = configured(
        ("api/i18n/", "base/", r"favicon\.ico$", "fonts/", r"images/.*\.(png|jpg)$", "webassets/"),
        "Paths that are the same for everybody, served from the cache",
        allowed=_PATHS,
    )
    blocked_paths: tuple[Pattern, ...] = configured(
        (),
        "Paths that are refused with 403, for requests that spam the logs; dcor refuses some by default",
        allowed=_PATHS,
        example=["wp-admin", r"xmlrpc\.php$"],
    )
    read_paths: tuple[Pattern, ...] = configured(
        ("$", "about$", "contact$", "dashboard", "dataset", "imprint$", "privacy$", "revision", r"robots\.txt$"),
        "Paths that may be read (dcor)",
        allowed=_PATHS,
    )
    write_paths: tuple[Pattern, ...] = configured(
        (
            "api/2/util/",
            "api/3/",
            "ckan-admin",
            "dataset/groups",
            "group",
            "login_generic",
            "organization",
            r"uploads/(admin|group|user)/.+\.(png|jpg|jpeg)$",
            "user",
        ),
        "Paths that may be read and written (dcor); stronger than those that may be read",
        allowed=_PATHS,
    )
    blocked_extensions: tuple[Pattern, ...] = configured(
        ("aspx", "gif", "html?", "php[0-9]?", "pl", "rar", "sql", r"tar(\.gz)?", "zip"),
        "File extensions that do not exist (404), as a DCOR serves none (dcor)",
        allowed=_PATHS,
    )
    dcor_aid_minimum: str = configured(
        "0.14.2",
        "Oldest DCOR-Aid that may connect (dcor)",
        allowed="a version of one to three numbers",
        pattern=r"^[0-9]{1,4}(\.[0-9]{1,4}){0,2}$",
    )

    @property
    def names(self) -> tuple[str, ...]:
        """All names under which the portal answers."""
        return tuple(dict.fromkeys((self.fqdn, *self.aliases)))

    @property
    def hsts_seconds(self) -> int:
        """Time for HSTS in force; 0 for none."""
        return self.hsts if self.hsts is not None else 0 if self.self_signed else HSTS_DEFAULT

    @property
    def refused_paths(self) -> tuple[str, ...]:
        """``blocked_paths`` with those of DCOR's manual; /user/reset among them: DCOR resets no passwords by mail."""
        return (
            (*("user/reset(?:/|$)", "userportal", r"user\.action"), *self.blocked_paths)
            if self.flavour == "dcor"
            else (self.blocked_paths)
        )

    @property
    def outdated_dcor_aid(self) -> str:
        """Regular expression of the User-Agents of all DCOR-Aids before ``dcor_aid_minimum``."""
        return rf"^DCOR-Aid/v?(?:{older_than(self.dcor_aid_minimum)})"


def uploads_wait_longest(view: View) -> Iterator[Clash]:
    """After an upload CKAN takes longer than otherwise, not less."""
    if view["nginx_upload_timeout"] < view["nginx_timeout"]:
        yield Clash(
            ("nginx_upload_timeout", "nginx_timeout"),
            "the wait after an upload must not be shorter than any other; raise nginx_upload_timeout",
        )


RULES = (uploads_wait_longest,)
