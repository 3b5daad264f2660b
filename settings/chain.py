"""Checks of a certificate chain before it goes to a host: pure, from texts and a given time.

Browsers repair a chain that lacks its intermediate certificate, programs (DCOR-Aid, dclab, curl) do not: DCOR's
manual has a note on exactly that. So an incomplete chain must not be installed.
"""

from __future__ import annotations

import os
import ssl
import warnings
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def check(
    chain_text: str,
    names: Sequence[str],
    now: datetime,
    roots: Iterable[x509.Certificate],
    file: str = "the chain",
) -> None:
    """Raise ``ValueError`` with one sentence (what, where, what to do) unless this can be served.

    + chain_text: PEM, the server's certificate first (that is the one that issued no other), each followed by the one
      that issued it
    + names: all must be covered by the certificate's DNS names (wildcards count for one label)
    + now: a time with its zone
    + roots: certificates that clients trust; the last of the chain must be self-signed or issued by one of them
    + file: its name, for the sentences
    """
    chain = certificates(chain_text, file)
    leaf = _first(chain)
    _check_order([leaf, *(other for other in chain if other is not leaf)], chain, list(roots), file)
    for certificate in chain:
        _check_time(certificate, now, file)
    uncovered = [name for name in names if not any(_covers(pattern, name) for pattern in _dns(leaf))]
    if uncovered:
        covered = ", ".join(_dns(leaf)) or "no DNS name"
        raise ValueError(
            f"the certificate in {file} does not cover {', '.join(uncovered)} (only {covered}); "
            "get one for all these names, or change the names"
        )


def fingerprint(chain_text: str, file: str = "the chain") -> str:
    """Return the SHA-256 of the server's certificate in hexadecimal digits. Raises ``ValueError`` as ``check``."""
    return _first(certificates(chain_text, file)).fingerprint(SHA256()).hex()


def belong_together(chain_text: str, key_text: str, where: tuple[str, str]) -> None:
    """Raise ``ValueError`` with one sentence unless KEY_TEXT is the key of the first certificate of CHAIN_TEXT.

    + where: names of the two, for the sentences
    """
    chain_file, key_file = where
    first = certificates(chain_text, chain_file)[0]
    if _public_bytes(first.public_key()) != _public_bytes(_private_key(key_text, key_file).public_key()):
        raise ValueError(
            f"the key in {key_file} belongs to another certificate than {_name(first)}, the first of {chain_file}; "
            "give the two that were made together"
        )


@cache
def trusted_roots() -> tuple[x509.Certificate, ...]:
    """Return the roots of the controller's trust store; those that cannot be parsed are left out."""
    paths = ssl.get_default_verify_paths()
    files = [Path(path) for path in (paths.cafile, "/etc/ssl/certs/ca-certificates.crt") if path]
    if not any(file.is_file() for file in files) and paths.capath:
        files = sorted(Path(paths.capath).iterdir()) if os.path.isdir(paths.capath) else []  # noqa: PTH112
    roots: dict[bytes, x509.Certificate] = {}
    for file in files:
        for block in _blocks(file.read_text(errors="replace")) if file.is_file() else ():
            try:
                with warnings.catch_warnings():  # some roots have serial numbers that are not allowed any more
                    warnings.simplefilter("ignore")
                    root = x509.load_pem_x509_certificate(block.encode())
            except ValueError:
                continue
            roots[root.fingerprint(SHA256())] = root
    return tuple(roots.values())


def root_of(certificate: x509.Certificate, roots: Iterable[x509.Certificate]) -> x509.Certificate | None:
    """Return the one of ROOTS that issued CERTIFICATE; None where it issued itself, or none did."""
    if _issued(certificate, certificate):
        return None
    return next((root for root in roots if _issued(certificate, root)), None)


def _blocks(text: str) -> list[str]:
    end = "-----END CERTIFICATE-----"
    begin = "-----BEGIN CERTIFICATE-----"
    return [begin + part.partition(begin)[2] + end for part in text.split(end)[:-1] if begin in part]


def ends_in_a_root(text: str, file: str) -> bool:
    """Whether the last certificate of the chain in TEXT is self-signed, so that clients must be told to trust it."""
    last = certificates(text, file)[-1]
    return _issued(last, last)


def root_text(text: str, file: str) -> str:
    """Return the last certificate of the chain in TEXT, as PEM: what clients must be told to trust.

    Those before it come and go, and whoever trusts their root need not hear of that.
    """
    return certificates(text, file)[-1].public_bytes(Encoding.PEM).decode()


def certificates(text: str, file: str) -> list[x509.Certificate]:
    """Return the certificates in TEXT, from FILE, in order. Raises ``ValueError`` with one sentence."""
    if "PRIVATE KEY-----" in text:
        raise ValueError(f"{file} holds a private key, but everybody may read this file; keep the key in a file alone")
    try:
        chain = x509.load_pem_x509_certificates(text.encode())
    except ValueError as error:
        raise ValueError(f"{file} holds no PEM certificates that can be read; export the chain as PEM") from error
    seen = set()
    for certificate in chain:
        if certificate in seen:
            raise ValueError(f"{file} holds the certificate of {_name(certificate)} twice; remove one")
        seen.add(certificate)
    return chain


def _private_key(text: str, file: str) -> PrivateKeyTypes:
    try:
        return load_pem_private_key(text.encode(), password=None)
    except TypeError as error:
        raise ValueError(
            f"the key in {file} has a password, which no service could give; remove it with `openssl pkey`"
        ) from error
    except Exception as error:
        raise ValueError(f"{file} holds no PEM private key that can be read; export the key as PEM") from error


def _public_bytes(key: PublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _first(chain: list[x509.Certificate]) -> x509.Certificate:
    """Return the certificate that issued none of the others."""
    leaves = (one for one in chain if not any(_issued(other, one) for other in chain if other is not one))
    return next(leaves, chain[0])


def _check_order(
    pending: list[x509.Certificate], chain: list[x509.Certificate], roots: list[x509.Certificate], file: str
) -> None:
    """Walk from the leaf to its last issuer in the file, and compare that way with the file's order."""
    current = pending.pop(0)
    ordered = [current]
    while (issuer := next((other for other in pending if _issued(current, other)), None)) is not None:
        pending.remove(issuer)
        ordered.append(issuer)
        current = issuer
    complete = _issued(current, current) or any(_issued(current, root) for root in roots)
    if not complete:
        raise ValueError(
            f"the chain in {file} is incomplete: it lacks {current.issuer.rfc4514_string()}, which issued the "
            f"certificate of {_name(current)} and is no root that is trusted here; append its certificate"
        )
    if pending:
        raise ValueError(
            f"{file} holds the certificate of {_name(pending[0])}, which issued nothing in this chain; remove it"
        )
    if ordered != chain:
        wanted = ", ".join(_name(certificate) for certificate in ordered)
        raise ValueError(f"the certificates in {file} stand in the wrong order; wanted is: {wanted}")


def _check_time(certificate: x509.Certificate, now: datetime, file: str) -> None:
    if now > certificate.not_valid_after_utc:
        raise ValueError(
            f"the certificate of {_name(certificate)} in {file} expired on {certificate.not_valid_after_utc:%Y-%m-%d}; "
            "get a new one"
        )
    if now < certificate.not_valid_before_utc:
        raise ValueError(
            f"the certificate of {_name(certificate)} in {file} is not valid before "
            f"{certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC; wait, or check this machine's clock"
        )


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except Exception:  # cryptography raises four kinds, all of which mean no
        return False
    return True


def _dns(certificate: x509.Certificate) -> list[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return []
    return names.get_values_for_type(x509.DNSName)


def _covers(pattern: str, name: str) -> bool:
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    first, _, rest = name.partition(".")
    return pattern == name or (pattern == f"*.{rest}" and bool(first) and "." in rest)


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or ", ".join(_dns(certificate)) or "(no name)"
