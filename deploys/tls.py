"""TLS: the portal's certificate and its key."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from operations import apt, certificate, files
from operations.text import render
from settings.tls import TlsSettings, provided_paths


def shown(settings: TlsSettings) -> certificate.Shown:
    """What the self-signed certificate must show: another is made anew."""
    return {
        "certificate": settings.certificate_path,
        "key": settings.key_path,
        "fqdn": settings.fqdn,
        "aliases": settings.aliases,
        "addresses": settings.names_addresses,
        "keep_addresses": settings.addresses is None,
        "email": settings.email,
        "country": settings.country,
        "state": settings.state,
        "locality": settings.locality,
        "organization": settings.organization,
        "renew_before": settings.renew_before,
    }


@deploy("TLS")
def tls(settings: TlsSettings) -> None:
    """Have the certificate and key in place that nginx serves; nginx itself follows them."""
    apt.packages(name="Install OpenSSL", packages=["openssl"])
    if settings.source == "self-signed":
        certificate.self_signed(
            name="Make the self-signed certificate",
            **shown(settings),
            days=settings.days,
            key_bits=settings.key_bits,
            warn_days=settings.warn_days,
            hint="`python -m tasks.certificate` exports that after the run; for the present one to stay, bring back "
            "its key, and set tls_addresses, nginx_aliases, tls_email and its subject (tls_country, …) as it has them",
        )
    else:
        files.install(
            name="Install the certificate's key",
            dest=settings.key_path,
            text=render("tls/key.pem.j2", key=settings.key),
            mode=0o600,
        )
        files.install(
            name="Install the certificate and its chain",
            dest=settings.certificate_path,
            text=settings.chain_text,
        )
        certificate.watch(
            name="Check how long the certificate is valid",
            certificate=settings.certificate_path,
            warn_days=settings.warn_days,
        )


@deploy("TLS")
def provided_no_more(settings: TlsSettings) -> None:
    """Remove a certificate that was provided, and its key, once nobody serves it any more.

    A self-signed one stays beside a provided one: people have pinned it.
    """
    if settings.source == "self-signed":
        certificate_path, key_path = provided_paths(settings.fqdn)
        files.absent(name="Remove the key of the certificate that was provided", path=key_path)
        files.absent(name="Remove the certificate that was provided", path=certificate_path)
