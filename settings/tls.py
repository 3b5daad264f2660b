"""Settings of the component tls."""

from __future__ import annotations

from typing import ClassVar

from settings.component import Component, configured, derived


class TlsSettings(Component):
    """The portal's certificate. The key is made on the host and never leaves it."""

    prefix: ClassVar[str] = "tls"

    source: str = configured("self-signed", "Where the certificate comes from", pattern=r"^(self-signed|files)$")
    days: int = configured(3650, "Validity of a self-signed certificate, in days", ge=1, le=7300)
    key_bits: int = configured(4096, "Size of the RSA key", ge=2048, le=8192)
    country: str = configured("", "Subject: countryName, two letters", pattern=r"^([A-Z]{2})?$")
    state: str = configured("", "Subject: stateOrProvinceName")
    locality: str = configured("", "Subject: localityName")
    organization: str = configured("", "Subject: organizationName")
    email: str = configured("", "Subject alternative name: e-mail address")
    warn_days: int = configured(30, "Warn when fewer days are left", ge=0)
    renew_before: str = configured(
        "",
        "Renew a self-signed certificate issued before this date (YYYY-MM-DD), with the same key: users pin it",
        pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$",
    )
    certificate_file: str = configured("", "Controller's path of the PEM chain, for the source files")
    key_file: str = configured("", "Controller's path of the PEM key, for the source files")
    fqdn: str = derived("The portal's name")
    addresses: tuple[str, ...] = derived("IP addresses to put into the certificate")
    certificate_path: str = derived("Where the chain stands on the host")
    key_path: str = derived("Where the key stands on the host")
