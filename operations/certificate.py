"""Make and watch the certificates that servers show."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypedDict

from pyinfra import host, logger
from pyinfra.api import StringCommand, operation

from facts.certificate import Certificate, CertificateState, PublicKey
from facts.clock import Clock
from facts.files import leftover_path
from operations import certificate_reason, foresight, saying
from operations.files import ASIDE, script
from operations.kept import KEEP
from operations.openssl import openssl_configuration, subject_of


class Shown(TypedDict):
    """What a self-signed certificate must show, as ``self_signed`` has it, and where it is."""

    certificate: str
    key: str
    fqdn: str
    aliases: Sequence[str]
    addresses: Sequence[str]
    keep_addresses: bool
    email: str
    country: str
    state: str
    locality: str
    organization: str
    renew_before: str


KEY_ACCESS = "600 root:root"  # nginx's master process reads it as root, nobody else needs to
CERTIFICATE_ACCESS = "644 root:root"

_MAKE_KEY = (
    ASIDE
    + KEEP
    + r"""
set -e; umask 077
rm -f "$2"
openssl genpkey -algorithm RSA -pkeyopt "rsa_keygen_bits:$3" -out "$2" 2>"$2.said" || {
  cat "$2.said" >&2; rm -f "$2" "$2.said"; exit 1; }
rm -f "$2.said"; chown root:root "$2"; chmod 600 "$2"; sync "$2"; aside "$1" "$2"
keep "$1"; written "$1" "$2"; mv -fT "$2" "$1"
"""
)
# dash and bash give a here-document or pipe of their own, which /dev/stdin can open; sshd's standard input may be
# a socket, which it cannot.
_MAKE_CERTIFICATE = (
    ASIDE
    + KEEP
    + r"""
set -e; umask 022
rm -f "$2"
cat | openssl req -new -x509 -sha256 -utf8 -config /dev/stdin -key "$3" -days "$4" -out "$2"
chown root:root "$2"; chmod 644 "$2"; sync "$2"; aside "$1" "$2"
keep "$1"; written "$1" "$2"; mv -fT "$2" "$1"
"""
)
# A link to the file is replaced by what it leads to: the key stays the same.
_SET_ACCESS = r"""
set -e; umask 077
rm -f "$2"; if [ -L "$1" ]; then cp -L "$1" "$2"; file=$2; else file=$1; fi
chown "${3#* }" "$file"; chmod "${3%% *}" "$file"
[ ! -L "$1" ] || mv -fT "$2" "$1"
"""


@operation()
def self_signed(
    certificate: str,
    key: str,
    fqdn: str,
    aliases: Sequence[str] = (),
    addresses: Sequence[str] = (),
    keep_addresses: bool = False,
    email: str = "",
    country: str = "",
    state: str = "",
    locality: str = "",
    organization: str = "",
    days: int = 3650,
    key_bits: int = 4096,
    renew_before: str = "",
    warn_days: int = 30,
    hint: str = "",
) -> Generator[StringCommand, None, None]:
    """Make a self-signed certificate, and a new one with the same key when it must change.

    + certificate, key: absolute paths of the PEM files; their folders must exist when the operation runs
    + fqdn: common name and first DNS name
    + aliases: more DNS names
    + addresses: IP addresses
    + keep_addresses: leave a certificate that has other ones as it is
    + email, country, state, locality, organization: subject and alternative name; empty ones are left out
    + days: validity of the next certificate; a change of it alone makes none anew
    + key_bits: size of the RSA key when one is made; an existing key is kept whatever its size, since users pin it
    + renew_before: "YYYY-MM-DD"; a certificate from before that date (UTC) is replaced, once that date has come
    + warn_days: log a warning when fewer days are left
    + hint: what to do so that one that is there stays, and for those who trust it when it does not

    The certificate is made anew when it is absent, not of this key, for other names or another subject, expired, or
    to be renewed; people may have pinned it, so that is warned of before. The key is made on the host and never leaves
    it.

    Names and validity are those of DCOR's manual. CA:FALSE, since users add it to what they trust: as an authority
    it would let the portal's key vouch for any site. It has no keyUsage: with one that lacks keyCertSign, OpenSSL
    1.1.1 in users' programs does not see it as self-signed and refuses it, and with one it would contradict CA:FALSE.
    """
    now = _now()
    found_key = host.get_fact(PublicKey, path=key)
    found = host.get_fact(Certificate, path=certificate)
    subject = subject_of(fqdn, country, state, locality, organization)
    names = certificate_reason.Names.of(fqdn, aliases, addresses, email)
    reason = certificate_reason.of_content(found, found_key, subject, names, keep_addresses)
    reason = reason or _reason_of_time(found, renew_before, now)
    wrong = [
        (path, access)
        for path, access, state_ in ((key, KEY_ACCESS, found_key), (certificate, CERTIFICATE_ACCESS, found))
        if state_ is not None and state_.access != access
    ]
    if found_key is None:
        foresight.will_touch(key)
    if reason:
        foresight.will_touch(certificate)
        if found is None:
            saying.once(f"{certificate} will be made: {reason}", logger.info)
        else:
            saying.once(
                f"{certificate} will be replaced, since {reason}: whoever trusts the present one (SHA-256 "
                f"{found.fingerprint}) needs the new one{hint and f'; {hint}'}",
                logger.warning,
            )
    foresight.will_touch(*(path for path, _ in wrong))
    if not reason and not wrong:
        _warn(certificate, found, warn_days, now)
        host.noop(f"{certificate} is as wanted")
        return
    for path, access in wrong:
        yield script(_SET_ACCESS, path, leftover_path(path), access)
    if found_key is None:
        yield script(_MAKE_KEY, key, leftover_path(key), key_bits)
    if reason:
        arguments = (certificate, leftover_path(certificate), key, days)
        yield script(_MAKE_CERTIFICATE, *arguments, stdin=openssl_configuration(subject, *names))


@operation()
def watch(certificate: str, warn_days: int = 30) -> Generator[StringCommand, None, None]:
    """Log a warning when a certificate has fewer than WARN_DAYS days left; never a change.

    + certificate: absolute path of the PEM file on the host
    """
    _warn(certificate, host.get_fact(Certificate, path=certificate), warn_days, _now())
    host.noop(f"{certificate} was looked at")
    yield from ()


def why_made_anew(wanted: Shown) -> str:
    """Say why ``self_signed`` would make another certificate; empty when it would not."""
    found_key = host.get_fact(PublicKey, path=wanted["key"])
    found = host.get_fact(Certificate, path=wanted["certificate"])
    subject = subject_of(*(wanted[part] for part in ("fqdn", "country", "state", "locality", "organization")))
    names = certificate_reason.Names.of(wanted["fqdn"], wanted["aliases"], wanted["addresses"], wanted["email"])
    return certificate_reason.of_content(found, found_key, subject, names, wanted["keep_addresses"])


def _reason_of_time(found: CertificateState | None, renew_before: str, now: datetime) -> str:
    """Say why a certificate must be made at this time; empty when it need not.

    Users pin it: a clock that is off must not replace it. So the host's must say the same as this machine's.
    """
    if found is None:
        return ""
    reason = certificate_reason.of_time(found, renew_before, now)
    if reason and reason == certificate_reason.of_time(
        found, renew_before, now + timedelta(seconds=host.get_fact(Clock).ahead)
    ):
        return reason
    return ""


def _warn(path: str, found: CertificateState | None, warn_days: int, now: datetime) -> None:
    """Warn of a certificate that has fewer than WARN_DAYS days left."""
    if found is None or found.not_after - now >= timedelta(days=warn_days):
        return
    if found.not_after <= now:
        saying.once(f"{path} expired on {found.not_after:%Y-%m-%d}: replace it now", logger.warning)
    else:
        days = (found.not_after - now).days
        saying.once(f"{path} expires on {found.not_after:%Y-%m-%d}, in {days} days: renew it before", logger.warning)


def _now() -> datetime:
    return datetime.now(UTC)
