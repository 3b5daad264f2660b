"""Settings of the component tls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from settings import chain
from settings.component import Component, configured, derived
from settings.rule import Clash, View
from settings.secret import Secret

_LINE = r"^[^\x00-\x1f\x7f]*$"  # no control characters: these stand in openssl's configuration


def _date(value: str) -> str:
    try:
        date.fromisoformat(value or "2000-01-01")
    except ValueError as error:
        raise PydanticCustomError("date", "no date") from error
    return value


class TlsSettings(Component):
    """The portal's certificate. A self-signed one's key is made on the host and never leaves it."""

    prefix: ClassVar[str] = "tls"
    group: ClassVar[str] = "portal"

    source: Literal["self-signed", "files"] = configured("self-signed", "Where the certificate comes from")
    days: int = configured(3650, "Validity of the next self-signed certificate", unit="days", ge=1, le=7300)
    key_bits: int = configured(4096, "Size of the RSA key when one is made", unit="bits", ge=2048, le=8192)
    country: str = configured(
        "", "Subject: countryName", allowed="two capital letters, or empty", example="DE", pattern=r"^([A-Z]{2})?$"
    )
    state: str = configured(
        "",
        "Subject: stateOrProvinceName",
        allowed="one line of at most 128 characters",
        example="Bavaria",
        pattern=_LINE,
        max_length=128,
    )
    locality: str = configured(
        "",
        "Subject: localityName",
        allowed="one line of at most 128 characters",
        example="Erlangen",
        pattern=_LINE,
        max_length=128,
    )
    organization: str = configured(
        "",
        "Subject: organizationName",
        allowed="one line of at most 64 characters",
        example="Example University",
        pattern=_LINE,
        max_length=64,
    )
    email: str = configured(
        "",
        "Subject alternative name: e-mail address",
        allowed="an e-mail address in ASCII, or empty",
        example="operators@example.org",
        pattern=r"^([!-?A-~]+@[!-?A-~]+)?$",
        max_length=254,
    )
    warn_days: int = configured(30, "Warn when the certificate is valid for less time", unit="days", ge=0)
    renew_before: Annotated[str, AfterValidator(_date)] = configured(
        "",
        "Renew a self-signed certificate issued before this date (UTC; acts from that date on), with the same key; "
        "users who trust the old certificate need the new one",
        allowed="a date as YYYY-MM-DD, or empty",
        example="2026-01-31",
        pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$",
    )
    key_file: str = configured(
        "", "Path of the PEM key on this machine, for the source files", example="certificates/data.example.org.key"
    )
    certificate_file: str = configured(
        "",
        "Path of the PEM chain on this machine, for the source files: the server's certificate first",
        example="certificates/data.example.org.pem",
    )

    fqdn: str = derived("The portal's name", "the portal's", "portal_fqdn")
    aliases: tuple[str, ...] = derived(
        "More names under which the portal answers", "those of nginx", "nginx_aliases", default=()
    )
    addresses: tuple[str, ...] = derived(
        "IP addresses to put into a self-signed certificate", "the address of the portal's host", "address groups"
    )
    certificate_path: str = derived(
        "Where the chain stands on the host", "named after the portal and the source", "portal_fqdn tls_source"
    )
    key_path: str = derived(
        "Where the key stands on the host", "named after the portal and the source", "portal_fqdn tls_source"
    )

    @property
    def chain_text(self) -> str:
        """PEM of the chain, for the source files."""
        return _read(self.certificate_file).rstrip() + "\n"

    @property
    def key_text(self) -> Secret:
        """PEM of the key without the newline at its end, for the source files."""
        return Secret(_read(self.key_file).rstrip())


_FILES = ("tls_certificate_file", "tls_key_file")


def both_files(view: View) -> Iterator[Clash]:
    """Both files are there for the source files."""
    for name in _FILES:
        if view["tls_source"] == "files" and not view[name]:
            yield Clash(("tls_source", name), f"both files are needed; set {name} to the path of a PEM file")


def files_of_no_use(view: View) -> Iterator[Clash]:
    """The files are read for the source files only."""
    for name in _FILES:
        if view["tls_source"] != "files" and view[name]:
            yield Clash((name, "tls_source"), f'the file would not be used; set tls_source = "files", or remove {name}')


def renewal_of_files(view: View) -> Iterator[Clash]:
    """Only a self-signed certificate is made anew here."""
    if view["tls_renew_before"] and view["tls_source"] == "files":
        yield Clash(
            ("tls_renew_before", "tls_source"),
            "only a self-signed certificate is renewed here; remove tls_renew_before, and put a new certificate into "
            "the files",
        )


def served(view: View) -> Iterator[Clash]:
    """The chain and the key in the files can be served under the portal's names."""
    certificate, key = (view[name] for name in _FILES)
    if view["tls_source"] == "files" and certificate and key:
        names = (view["portal_fqdn"], *view["nginx_aliases"])
        if problem := cannot_be_served(certificate, key, names):
            yield Clash(_FILES, problem)


RULES = (both_files, files_of_no_use, renewal_of_files, served)


def cannot_be_served(certificate: str, key: str, names: tuple[str, ...]) -> str:
    """Say why the chain and KEY in these files cannot be served under NAMES; empty when they can."""
    try:
        texts = _read(certificate), _read(key)
        chain.check(*texts, names, datetime.now(UTC), chain.trusted_roots(), (certificate, key))
    except ValueError as error:
        return str(error)
    return ""


@cache  # what is installed is what was checked
def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; check the path, which starts here") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no PEM file; convert it with `openssl x509` or `openssl pkey`") from error
