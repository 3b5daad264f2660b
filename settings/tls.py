"""Settings of the component tls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from settings import chain, provided
from settings.component import Component, configured, derived
from settings.machine import IpAddress
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

    source: Literal["self-signed", "provided"] = configured(
        "self-signed",
        "Where the certificate comes from: provided is a chain in tls_certificate_file with the secret tls_key",
    )
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
    addresses: tuple[IpAddress, ...] | None = configured(
        None,
        "IP addresses in a self-signed certificate; None: the address of the portal's host when one is made, while one "
        "that is there keeps its own when the host's changes",
        allowed="a list of IP addresses, or None",
        example=["192.0.2.20"],
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
    certificate_file: str = configured(
        "",
        "Path of the PEM chain on this machine, for the source provided: the server's certificate first",
        example="certificates/data.example.org.pem",
    )
    key: Secret | None = provided.key(
        "PEM key of the certificate; needed only with the source provided",
        rotation="Have a certificate issued for the new key, and put its chain into tls_certificate_file at the same "
        "time: the run stops before any change when the two do not belong together. nginx reloads; no connection is "
        "cut.",
    )

    fqdn: str = derived("The portal's name", "the portal's", "portal_fqdn")
    aliases: tuple[str, ...] = derived(
        "More names under which the portal answers", "those of nginx", "nginx_aliases", default=()
    )
    address: str = derived("Address of the portal's host", "the portal's", "address groups")
    certificate_path: str = derived(
        "Where the chain stands on the host", "named after the portal and the source", "portal_fqdn tls_source"
    )
    key_path: str = derived(
        "Where the key stands on the host", "named after the portal and the source", "portal_fqdn tls_source"
    )

    @property
    def names_addresses(self) -> tuple[str, ...]:
        """IP addresses of a self-signed certificate that is made."""
        return (self.address,) if self.addresses is None else self.addresses

    @property
    def chain_text(self) -> str:
        """PEM of the chain, for the source provided."""
        return provided.chain_text(self.certificate_file)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate itself, in hexadecimal digits, for the source provided."""
        return chain.fingerprint(self.chain_text, self.certificate_file)

    @property
    def wrong_key(self) -> str:
        """Say why the key cannot be used with the chain; empty when it can, or is not known here."""
        return provided.wrong_key(self.certificate_file, self.key, "tls_key") if self.source == "provided" else ""


def self_signed_paths(fqdn: str) -> tuple[str, str]:
    """Where a self-signed certificate and its key stand on the host. Not *.pem: the host would trust it (rehash)."""
    return f"/etc/ssl/certs/{fqdn}.cert", f"/etc/ssl/private/{fqdn}.key"


def provided_paths(fqdn: str) -> tuple[str, str]:
    """Where a provided chain and its key stand: beside a self-signed one, whose key people may have pinned."""
    return self_signed_paths(f"{fqdn}.provided")


def provided_has_chain(view: View) -> Iterator[Clash]:
    """The source provided has a chain."""
    if view["tls_source"] == "provided" and not view["tls_certificate_file"]:
        yield Clash(
            ("tls_source", "tls_certificate_file"),
            "there is no certificate; set tls_certificate_file to the path of a PEM chain",
        )


def chain_of_no_use(view: View) -> Iterator[Clash]:
    """The chain is read for the source provided only."""
    if view["tls_source"] != "provided" and view["tls_certificate_file"]:
        yield Clash(
            ("tls_certificate_file", "tls_source"),
            'the file would not be used; set tls_source = "provided", or remove tls_certificate_file',
        )


def renewal_of_provided(view: View) -> Iterator[Clash]:
    """Only a self-signed certificate is made anew here."""
    if view["tls_renew_before"] and view["tls_source"] == "provided":
        yield Clash(
            ("tls_renew_before", "tls_source"),
            "only a self-signed certificate is renewed here; remove tls_renew_before, and put a new chain into "
            "tls_certificate_file",
        )


def served(view: View) -> Iterator[Clash]:
    """The chain can be served under the portal's names; whether the key is its own is asked when that is opened."""
    certificate = view["tls_certificate_file"]
    if view["tls_source"] == "provided" and certificate:
        names = (view["portal_fqdn"], *view["nginx_aliases"])
        if problem := provided.cannot_be_served(certificate, names):
            yield Clash(("tls_certificate_file",), problem)


RULES = (provided_has_chain, chain_of_no_use, renewal_of_provided, served)
