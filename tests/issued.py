"""Certificates made for one test: self-signed ones, and those of a throwaway authority."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Issued:
    """A certificate for a server: its chain and its key as PEM, the key as the secret store has it."""

    chain: str
    key: str

    def write(self, folder: Path, name: str = "chain.pem") -> str:
        """Write the chain into FOLDER; its path."""
        (folder / name).write_text(self.chain)
        return str(folder / name)


class Authority:
    """An authority that nobody trusts unless told."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name("A throwaway authority")
        self.certificate = _sign(self.name, self.name, self.key, self.key, x509.BasicConstraints(True, 0))
        self.pem = _pem(self.certificate)

    def issue(self, fqdn: str) -> Issued:
        """Issue a certificate for FQDN with a key of its own; the chain ends in the authority's."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(_name(fqdn), self.name, key, self.key, _server(fqdn))
        return Issued(_pem(certificate) + self.pem, _key_pem(key))


def self_signed(server: str) -> Issued:
    """Make a certificate for SERVER, a domain name or an IP address, that is its own root."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Issued(_pem(_sign(_name(server), _name(server), key, key, _server(server))), _key_pem(key))


def _server(server: str) -> x509.SubjectAlternativeName:
    try:
        return x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(server))])
    except ValueError:
        return x509.SubjectAlternativeName([x509.DNSName(server)])


def _sign(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    by: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        .sign(by, SHA256())
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(Encoding.PEM).decode()


def _key_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode().rstrip()
