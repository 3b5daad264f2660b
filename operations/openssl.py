"""What openssl is told of a certificate."""

from __future__ import annotations

from collections.abc import Sequence


def openssl_configuration(
    subject: dict[str, str], dns: Sequence[str], addresses: Sequence[str], emails: Sequence[str]
) -> str:
    """Return what ``openssl req`` reads: a subject and alternative names, as in DCOR's manual."""
    alternative = [
        *(f"DNS.{i} = {_escaped(name)}" for i, name in enumerate(dns)),
        *(f"IP.{i} = {_escaped(address)}" for i, address in enumerate(addresses)),
        *(f"email.{i} = {_escaped(address)}" for i, address in enumerate(emails)),
    ]
    lines = [
        "[req]", "prompt = no", "string_mask = utf8only", "distinguished_name = subject", "x509_extensions = server",
        "[subject]", *(f"{name} = {_escaped(value)}" for name, value in subject.items()),
        "[server]", "basicConstraints = critical,CA:FALSE", "extendedKeyUsage = serverAuth",
        "subjectKeyIdentifier = hash", "subjectAltName = @names",
        "[names]", *alternative,
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def subject_of(fqdn: str, country: str, state: str, locality: str, organization: str) -> dict[str, str]:
    """Return the subject in RFC 4514 names, which openssl knows, too. A common name has 64 characters at most."""
    common_name = fqdn if len(fqdn) <= 64 else fqdn.partition(".")[0]
    wanted = {"CN": common_name, "C": country, "ST": state, "L": locality, "O": organization}
    return {name: value for name, value in wanted.items() if value}


def _escaped(value: str) -> str:
    """Return VALUE for openssl's configuration, where some characters mean something; a newline is an error."""
    if any(ord(character) < 32 for character in value):
        raise ValueError(f"{value!r} cannot stand in a certificate: it holds a control character")
    return "".join(f"\\{character}" if character in "\\$#\"'" else character for character in value)
