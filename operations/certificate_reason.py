"""Why a certificate that is there must be replaced, in words: people have pinned it, so they are told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address
from typing import NamedTuple

from facts.certificate import CertificateState, KeyState


class Names(NamedTuple):
    """Alternative names of a certificate."""

    dns: tuple[str, ...]
    addresses: tuple[str, ...]
    emails: tuple[str, ...]

    @classmethod
    def of(cls, fqdn: str, aliases: Sequence[str], addresses: Sequence[str], email: str) -> Names:
        """Return those that a portal's certificate has; EMAIL may be empty."""
        return cls(tuple(dict.fromkeys((fqdn, *aliases))), tuple(addresses), (email,) if email else ())

    def words(self, *, addresses: bool) -> set[str]:
        """Each with its kind; IP addresses in their one spelling, and only with ADDRESSES."""
        found = {f"DNS {name}" for name in self.dns} | {f"e-mail {name}" for name in self.emails}
        return found | ({f"IP {ip_address(address)}" for address in self.addresses} if addresses else set())


def of_content(
    found: CertificateState | None,
    key: KeyState | None,
    subject: dict[str, str],
    names: Names,
    keep_addresses: bool,
) -> str:
    """Say why a certificate must be made whatever the time; empty when it need not.

    + subject, names: that it must have
    + keep_addresses: it may name other IP addresses
    """
    if key is None:
        return "there is no key"
    if found is None:
        return "there is none"
    if key.public_key is not None and key.public_key != found.public_key:
        return "the key beside it is another"
    if change := _change(_words(found.subject), _words(subject.items())):
        return f"its subject changes: {change}"
    there = Names(found.dns, found.addresses, found.emails)
    if change := _change(*(one.words(addresses=not keep_addresses) for one in (there, names))):
        return f"its names change: {change}"
    return ""


def of_time(found: CertificateState, renew_before: str, now: datetime) -> str:
    """Say why a certificate must be made at the time NOW; empty when it need not."""
    if now >= found.not_after:
        return "it has expired"
    if found.not_before > now + timedelta(days=1):  # a day: clocks may differ
        return "it is not valid yet"
    if renew_before:
        date_ = datetime.combine(date.fromisoformat(renew_before), datetime.min.time(), UTC)
        if found.not_before < date_ <= now:  # a date to come would make one in every run until then
            return f"it is from before {renew_before}"
    return ""


def _words(subject: Iterable[tuple[str, str]]) -> set[str]:
    return {f"{name}={value}" for name, value in subject}


def _change(there: set[str], wanted: set[str]) -> str:
    """What comes and what goes; empty where all stays."""
    parts = (("+", wanted - there), ("-", there - wanted))
    return "; ".join(f"{sign} {', '.join(sorted(words))}" for sign, words in parts if words)
