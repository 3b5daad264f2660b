"""Settings of the component tls."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import ValidationInfo, field_validator

from settings import chain
from settings.component import Component, configured, derived
from settings.secret import Secret

_LINE = r"^[^\x00-\x1f\x7f]*$"  # no control characters: these stand in openssl's configuration


class TlsSettings(Component):
    """The portal's certificate. A self-signed one's key is made on the host and never leaves it."""

    prefix: ClassVar[str] = "tls"

    source: Literal["self-signed", "files"] = configured("self-signed", "Where the certificate comes from")
    days: int = configured(3650, "Validity of the next self-signed certificate, in days", ge=1, le=7300)
    key_bits: int = configured(4096, "Size of the RSA key when one is made", ge=2048, le=8192)
    country: str = configured("", "Subject: countryName, two letters", pattern=r"^([A-Z]{2})?$")
    state: str = configured("", "Subject: stateOrProvinceName", pattern=_LINE, max_length=128)
    locality: str = configured("", "Subject: localityName", pattern=_LINE, max_length=128)
    organization: str = configured("", "Subject: organizationName", pattern=_LINE, max_length=64)
    email: str = configured(
        "", "Subject alternative name: e-mail address", pattern=r"^([!-?A-~]+@[!-?A-~]+)?$", max_length=254
    )
    warn_days: int = configured(30, "Warn when fewer days are left", ge=0)
    renew_before: str = configured(
        "",
        "Renew a self-signed certificate issued before this date (YYYY-MM-DD, UTC; acts from that date on), with the "
        "same key; users who trust the old certificate need the new one",
        pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$",
    )
    fqdn: str = derived("The portal's name")
    aliases: tuple[str, ...] = derived("More names under which the portal answers", default=())
    addresses: tuple[str, ...] = derived("IP addresses to put into a self-signed certificate")
    certificate_path: str = derived("Where the chain stands on the host")
    key_path: str = derived("Where the key stands on the host")
    # The two files are checked together, and against the names: so they come last.
    key_file: str = configured("", "Controller's path of the PEM key, for the source files")
    certificate_file: str = configured(
        "",
        "Controller's path of the PEM chain, for the source files: the server's certificate first",
        validate_default=True,
    )

    @property
    def chain_text(self) -> str:
        """PEM of the chain, for the source files."""
        return _read(self.certificate_file).rstrip() + "\n"

    @property
    def key_text(self) -> Secret:
        """PEM of the key without the newline at its end, for the source files."""
        return Secret(_read(self.key_file).rstrip())

    @field_validator("renew_before")
    @classmethod
    def _is_date(cls, value: str) -> str:
        if value:
            date.fromisoformat(value)
        return value

    @field_validator("certificate_file")
    @classmethod
    def _can_be_served(cls, value: str, info: ValidationInfo) -> str:
        """Refuse a chain or key that cannot be served; nothing has been changed on any host then."""
        known = info.data
        if known.get("source") != "files" or not {"fqdn", "aliases", "key_file"} <= known.keys():
            return value  # nothing to check, or another setting is wrong anyway
        for name, path in (("tls_certificate_file", value), ("tls_key_file", known["key_file"])):
            if not path:
                raise ValueError(f'tls_source is "files", but {name} is not set; set it to the path of a PEM file')
        chain.check(
            _read(value),
            _read(known["key_file"]),
            (known["fqdn"], *known["aliases"]),
            datetime.now(UTC),
            chain.trusted_roots(),
            (value, known["key_file"]),
        )
        return value


@cache  # what is installed is what was checked
def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; check the path, which starts here") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no PEM file; convert it with `openssl x509` or `openssl pkey`") from error
