"""Settings of the component nginx."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from settings.component import Component, configured, derived

HSTS_DEFAULT = 63072000  # two years, as Mozilla's guideline has it
_NAME = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"
_PRE_RELEASE = r"[._-]?(?:a|b|c|rc|alpha|beta|pre|preview|dev)"


def _pattern(value: str) -> str:
    """Accept a regular expression that can stand in double quotes in nginx's configuration."""
    if re.search(r'["\s\x00-\x1f]', value):
        raise ValueError(f"{value!r} holds a quote or white space; write \\x22 or \\s")
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is no regular expression: {error}") from error
    return value


Pattern = Annotated[str, AfterValidator(_pattern), Field(min_length=1)]


class NginxSettings(Component):
    """nginx: TLS, allow-lists and caches in front of CKAN. Sizes are MiB, times seconds.

    Paths are regular expressions (PCRE) of what follows the first slash; those of ``blocked_paths`` and everything
    below it are for both flavours, the allow-lists for the flavour dcor only: ckan is open for all that CKAN does.
    """

    prefix: ClassVar[str] = "nginx"

    flavour: Literal["ckan", "dcor"] = derived("The portal's flavour")
    fqdn: str = derived("The portal's name")
    aliases: tuple[Annotated[str, Field(pattern=_NAME, max_length=253)], ...] = configured(
        (), "More names under which the portal answers"
    )
    upstream: str = derived("Address and port of uWSGI's HTTP socket")
    upload_limit: int = derived("Largest request body, MiB; the same for nginx, uWSGI and CKAN", ge=1)
    certificate_path: str = derived("PEM chain on the host")
    key_path: str = derived("PEM key on the host")
    self_signed: bool = derived("Whether the certificate is self-signed; HSTS is then off by default", default=True)

    ipv6: bool = configured(True, "Listen on IPv6, too; nginx does not start where the kernel has none")
    hsts: int | None = configured(
        None,
        "Time for which browsers refuse plain HTTP and any other certificate; 0 for none; by default two years with a "
        "certificate from files, and none with a self-signed one, whose renewal would lock people out",
        ge=0,
    )
    robots: Literal["allow", "deny"] = configured("allow", "Whether search engines may come (CKAN's own robots.txt)")
    cache_dir: str = configured(
        "/var/cache/nginx",
        "Folder of caches and of uploads and downloads on their way; needs room for the largest of them",
        pattern=r"^(/[A-Za-z0-9._-]+)+$",
    )
    cache_size: int = configured(250, "Largest size of the cache of static files", ge=1)
    cache_keys: int = configured(30, "Memory for the keys of that cache", ge=1, le=1024)
    cache_validity: int = configured(86400, "Time for which a static file is served from the cache", ge=0)
    download_buffer: int = configured(
        100000, "Largest answer that nginx takes over on disk, so that slow clients hold no worker; 0 for none", ge=0
    )
    timeout: int = configured(60, "Longest wait for CKAN", ge=1)
    upload_timeout: int = configured(
        500, "Longest wait for CKAN after an upload: package_revise (dcor), everything (ckan)", ge=1
    )
    static_paths: tuple[Pattern, ...] = configured(
        ("api/i18n/", "base/", r"favicon\.ico$", "fonts/", r"images/.*\.(png|jpg)$", "webassets/"),
        "Paths that are the same for everybody, served from the cache",
    )
    blocked_paths: tuple[Pattern, ...] = configured(
        (), "Paths that are refused with 403, for requests that spam the logs; dcor refuses some by default"
    )
    read_paths: tuple[Pattern, ...] = configured(
        ("$", "about$", "contact$", "dashboard", "dataset", "imprint$", "privacy$", "revision", r"robots\.txt$"),
        "Paths that may be read (dcor)",
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
    )
    blocked_extensions: tuple[Pattern, ...] = configured(
        ("aspx", "gif", "html?", "php[0-9]?", "pl", "rar", "sql", r"tar(\.gz)?", "zip"),
        "File extensions that do not exist (404), as a DCOR serves none (dcor)",
    )
    dcor_aid_minimum: str = configured(
        "0.14.2", "Oldest DCOR-Aid that may connect (dcor)", pattern=r"^[0-9]{1,4}(\.[0-9]{1,4}){0,2}$"
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
            (*("user/reset", "userportal", r"user\.action"), *self.blocked_paths)
            if self.flavour == "dcor"
            else (self.blocked_paths)
        )

    @property
    def outdated_dcor_aid(self) -> str:
        """Regular expression of the User-Agents of all DCOR-Aids before ``dcor_aid_minimum``."""
        return rf"^DCOR-Aid/v?(?:{older_than(self.dcor_aid_minimum)})"


def older_than(version: str) -> str:
    """Return a regular expression for the beginning of any version that is older than VERSION.

    + version: one to three numbers; missing ones are 0, in VERSION and in what is matched

    Pre-releases of VERSION itself ("0.16.0rc1", "0.16.0.dev3") are older, as in PEP 440; later parts and suffixes of
    other versions do not matter. An expression that matches nothing is returned where nothing is older.
    """
    numbers = [int(part) for part in version.split(".")]
    numbers += [0] * (3 - len(numbers))
    end = r"(?![0-9])"
    choices: list[str] = []
    for position, number in enumerate(numbers):
        equal = "".join(rf"{n}\." for n in numbers[:position])
        if number:
            choices.append(f"{equal}{_below(number)}{end}")
            # Parts that are missing count as 0, which is less than NUMBER.
            for length in range(1, position + 1):
                if not any(numbers[length:position]):
                    shorter = r"\.".join(str(n) for n in numbers[:length])
                    choices.append(rf"{shorter}(?![0-9]|\.[0-9])")
    while len(numbers) > 1 and numbers[-1] == 0:
        numbers.pop()
    optional = rf"(?:\.0){{0,{3 - len(numbers)}}}"
    choices.append(r"\.".join(str(n) for n in numbers) + optional + _PRE_RELEASE)
    return "|".join(choices)


def _below(number: int) -> str:
    """Return a regular expression for the decimal numbers from 0 to NUMBER - 1, without leading zeros."""
    digits = str(number)
    length = len(digits)
    choices = ["[0-9]" if length > 1 else ""] + [f"[1-9][0-9]{{{size - 1}}}" for size in range(2, length)]
    for position, digit in enumerate(digits):
        least = 1 if position == 0 and length > 1 else 0
        if int(digit) > least:
            rest = f"[0-9]{{{length - position - 1}}}" if position < length - 1 else ""
            choices.append(f"{digits[:position]}[{least}-{int(digit) - 1}]{rest}")
    return f"(?:{'|'.join(choice for choice in choices if choice)})"
