"""Facts about X.509 certificates and their keys; of a private key only the public half leaves the host."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key
from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value

# Only the blocks that are certificates are printed: a file that also holds its key must not give it away.
_CERTIFICATE = r"""
[ -f "$1" ] && [ -s "$1" ] || exit 0
stat -c 'access %a %U:%G' "$1"
sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/p' "$1"
"""
# Without openssl it is still known that there is a key. The empty password keeps openssl from asking for one.
_PUBLIC_KEY = r"""
[ -f "$1" ] && [ -s "$1" ] || exit 0
stat -c 'access %a %U:%G' "$1"
if command -v openssl >/dev/null; then openssl pkey -in "$1" -passin pass: -pubout; fi
"""


@dataclass(frozen=True)
class CertificateState(Value):
    """A PEM file's first certificate, and who may do what with the file (``access``: "644 root:root").

    Subject and issuer are pairs of RFC 4514 names ("CN", "O", …; a dotted number where there is none) and values, in
    the order of the certificate. Fingerprints are lower-case hexadecimal SHA-256: of the whole certificate, and of
    its public key (the DER SubjectPublicKeyInfo, as in pin-sha256).
    """

    subject: tuple[tuple[str, str], ...]
    issuer: tuple[tuple[str, str], ...]
    dns: tuple[str, ...]
    addresses: tuple[str, ...]
    emails: tuple[str, ...]
    key_type: str
    key_bits: int
    not_before: datetime
    not_after: datetime
    fingerprint: str
    public_key: str
    self_signed: bool
    access: str

    def days_left(self, now: datetime) -> int:
        """Whole days from NOW (with a time zone) until it expires; negative from that second on."""
        return (self.not_after - now).days


@dataclass(frozen=True)
class KeyState(Value):
    """A private key by its public half; ``public_key`` is None while the host has no openssl to tell it."""

    access: str
    public_key: str | None = None
    key_type: str | None = None
    key_bits: int | None = None


def parse(certificate: x509.Certificate, access: str = "") -> CertificateState:
    """Describe CERTIFICATE; raises ``ValueError`` where its extensions cannot be read."""
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names = x509.SubjectAlternativeName([])
    public_key = certificate.public_key()
    key_type, key_bits = _key(public_key)
    return CertificateState(
        subject=_pairs(certificate.subject),
        issuer=_pairs(certificate.issuer),
        dns=tuple(names.get_values_for_type(x509.DNSName)),
        addresses=tuple(str(address) for address in names.get_values_for_type(x509.IPAddress)),
        emails=tuple(names.get_values_for_type(x509.RFC822Name)),
        key_type=key_type,
        key_bits=key_bits,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        fingerprint=certificate.fingerprint(SHA256()).hex(),
        public_key=key_fingerprint(public_key),
        self_signed=_self_signed(certificate),
        access=access,
    )


def key_fingerprint(key: PublicKeyTypes) -> str:
    """SHA-256 of a public key's DER form, lower-case hexadecimal."""
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


class Certificate(FactBase[CertificateState | None]):
    """The first certificate of a PEM file; None when the file is absent or empty.

    + path: absolute path on the host
    """

    @override
    def command(self, path: str) -> StringCommand:
        """Build the one command of this fact."""
        return StringCommand("sh -c", QuoteString(_CERTIFICATE), "ckan-deploy", QuoteString(path))

    @staticmethod
    @override
    def default() -> CertificateState | None:
        """There is no certificate."""
        return None

    @override
    def process(self, output: list[str]) -> CertificateState | None:
        """Parse the PEM; raises ``FactProcessError`` with the output shown."""
        if not output:
            return self.default()
        try:
            certificate = x509.load_pem_x509_certificate("\n".join(output[1:]).encode())
            return parse(certificate, _access(output))
        except ValueError as error:
            # "from None": pyinfra shows an error's cause instead of the error where there is one.
            raise FactProcessError(f"this is no certificate ({error}); move it away: {output!r}") from None


class PublicKey(FactBase[KeyState | None]):
    """The public half of a private key; None when the file is absent or empty.

    + path: absolute path of the private key on the host
    """

    @override
    def command(self, path: str) -> StringCommand:
        """Build the one command of this fact; openssl fails on what is no key, or one with a password."""
        return StringCommand("sh -c", QuoteString(_PUBLIC_KEY), "ckan-deploy", QuoteString(path))

    @staticmethod
    @override
    def default() -> KeyState | None:
        """There is no key."""
        return None

    @override
    def process(self, output: list[str]) -> KeyState | None:
        """Parse the public half; raises ``FactProcessError`` with it shown."""
        if not output:
            return self.default()
        try:
            access = _access(output)
            if len(output) == 1:
                return KeyState(access)
            public_key = load_pem_public_key("\n".join(output[1:]).encode())
        except ValueError as error:
            raise FactProcessError(f"openssl printed what is no public key ({error}): {output!r}") from None
        return KeyState(access, key_fingerprint(public_key), *_key(public_key))


class Joined(FactBase[bool]):
    """Whether a file that everybody may read (root's, 0644) is others one after the other.

    + path: absolute path
    + parts: absolute paths of the others
    """

    @override
    def command(self, path: str, parts: tuple[str, ...]) -> StringCommand:
        """Build the one command of this fact."""
        quoted = QuoteString(path)
        seen = ("LC_ALL=C stat -c '%a %U:%G %F'", quoted, "2>/dev/null")
        return StringCommand(
            'if [ "$(', *seen, ')" = "644 root:root regular file" ] && cat --', *map(QuoteString, parts),
            "2>/dev/null | cmp -s -", quoted, "; then echo yes; fi",
        )  # fmt: skip

    @staticmethod
    @override
    def default() -> bool:
        """It is not."""
        return False

    @override
    def process(self, output: list[str]) -> bool:
        """Take the word; raises ``FactProcessError`` with the output shown."""
        if output != ["yes"]:
            raise FactProcessError(f"the comparison is not understood: {output!r}")
        return True


def _access(output: list[str]) -> str:
    word, _, access = output[0].partition(" ")
    if word != "access":
        raise ValueError("stat printed something else")
    return access


def _pairs(name: x509.Name) -> tuple[tuple[str, str], ...]:
    return tuple((attribute.rfc4514_attribute_name, str(attribute.value)) for attribute in name)


def _key(key: PublicKeyTypes | CertificatePublicKeyTypes) -> tuple[str, int]:
    """Return type ("RSA", "EC", "Ed25519" …) and size in bits; 0 for types that come in one size only."""
    if isinstance(key, rsa.RSAPublicKey):
        return "RSA", key.key_size
    if isinstance(key, ec.EllipticCurvePublicKey):
        return "EC", key.key_size
    return type(key).__name__.removesuffix("PublicKey"), 0


def _self_signed(certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(certificate)
    except Exception:  # cryptography raises four kinds, of which none is an error here
        return False
    return True
