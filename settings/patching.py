"""Settings of the component patching."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from settings.component import Component, configured, secret
from settings.rule import Clash, Unknown, View
from settings.secret import Secret

_CALENDAR = r"^[A-Za-z0-9*,./:~ -]+$"
_CALENDAR_WORDS = "a calendar event of systemd, as *-*-* 6:00"
_UNIT = r"^[A-Za-z0-9@:._-]+\.service$"
_ADDRESS = r"^([!-?A-~]+@[!-?A-~]+)?$"
_ADDRESS_WORDS = "an e-mail address in ASCII, or empty"
_PORTS = {"starttls": 587, "tls": 465, "none": 25}


class PatchingSettings(Component):
    """Security updates without anybody's doing, on every host; what docs/patching.md says about them."""

    prefix: ClassVar[str] = "patching"

    enabled: bool = configured(
        True,
        "Install security updates by themselves; False removes this component's packages and settings",
        example=False,
    )
    download_time: str = configured(
        "*-*-* 6,18:00",
        "When package lists are fetched, up to 12 hours later by chance (the distribution's default)",
        allowed=_CALENDAR_WORDS,
        pattern=_CALENDAR,
    )
    upgrade_time: str = configured(
        "*-*-* 6:00",
        "When updates are installed, up to an hour later by chance (the distribution's default)",
        allowed=_CALENDAR_WORDS,
        pattern=_CALENDAR,
    )
    reboot: bool = configured(False, "Reboot by itself when an update needs it (kernel, libc)", example=True)
    reboot_time: str = configured(
        "02:00", "When it reboots", allowed="a time as 02:00, or now", pattern=r"^(([01][0-9]|2[0-3]):[0-5][0-9]|now)$"
    )
    leave_units: tuple[Annotated[str, Field(pattern=_UNIT)], ...] = configured(
        (),
        "Services that are not restarted after an update of what they use, but by hand",
        allowed="a list of services, as supervisor.service",
        example=["supervisor.service"],
    )
    mail_to: str = configured(
        "",
        "Where reports of updates go, and all mail for root of a host that sends mail; empty: nowhere",
        allowed=_ADDRESS_WORDS,
        example="operators@example.org",
        pattern=_ADDRESS,
    )
    mail_report: Literal["only-on-error", "on-change", "always"] = configured(
        "only-on-error", "Which reports are sent", example="on-change"
    )
    mail_from: str = configured(
        "", "Sender of a host's mail", allowed=_ADDRESS_WORDS, example="hosts@example.org", pattern=_ADDRESS
    )
    smtp_server: str = configured(
        "",
        "Mail server for a host's own mail, which is not CKAN's; empty: the host sends none",
        allowed="host or host:port, or empty",
        example="mail.example.org:587",
        pattern=r"^([A-Za-z0-9.-]+(:[0-9]{1,5})?)?$",
    )
    smtp_security: Literal["starttls", "tls", "none"] = configured(
        "starttls", "How the connection is encrypted; the server's certificate is checked", example="tls"
    )
    smtp_trust: str = configured(
        "/etc/ssl/certs/ca-certificates.crt",
        "File of certificates on the host that the mail server's must be issued by",
        allowed="an absolute path without blanks",
        pattern=r"^/\S+$",
    )
    smtp_user: str = configured(
        "", "User at the mail server; empty: none", allowed='one line without "', example="hosts", pattern=r'^[^"]*$'
    )
    smtp_password: Secret | None = secret(
        "Its password; needed only with patching_smtp_user",
        generated=False,
        pattern=r'[^"].*[^"]',
        allowed='one line that neither begins nor ends with "',
        rotation="The next run writes /etc/msmtprc; nothing is restarted. Have the mail server take the new password "
        "first: from then until the run's end reports of updates fail.",
    )

    @property
    def smtp_host(self) -> str:
        """Name or address of the mail server."""
        return self.smtp_server.partition(":")[0]

    @property
    def smtp_port(self) -> int:
        """Its port: by default the one for the kind of encryption."""
        port = self.smtp_server.partition(":")[2]
        return int(port) if port else _PORTS[self.smtp_security]

    @property
    def left_units(self) -> tuple[str, ...]:
        """``leave_units`` for a regular expression of Perl."""
        return tuple(re.sub(r"([^A-Za-z0-9_])", r"\\\1", unit) for unit in self.leave_units)


def mail_is_whole(view: View) -> Iterator[Clash]:
    """Mail has a server, a sender and somebody who gets it."""
    for host, server, sender, receiver in _of_hosts(view, "smtp_server", "mail_from", "mail_to"):
        ends = {"patching_mail_from": sender, "patching_mail_to": receiver}
        missing = [name for name, value in ends.items() if not value]
        if server and missing:
            yield Clash(
                ("patching_smtp_server", *missing),
                f"a mail needs a sender and somebody who gets it; set {' and '.join(missing)}",
                host,
            )


def mail_user_has_server(view: View) -> Iterator[Clash]:
    """A user is for a server."""
    for host, user, server in _of_hosts(view, "smtp_user", "smtp_server"):
        if user and not server:
            yield Clash(
                ("patching_smtp_user", "patching_smtp_server"),
                "there is no server to log in to; set patching_smtp_server, or no user",
                host,
            )


def mail_password_is_encrypted(view: View) -> Iterator[Clash]:
    """A password goes over the network encrypted only."""
    for host, user, security in _of_hosts(view, "smtp_user", "smtp_security"):
        if user and security == "none":
            yield Clash(
                ("patching_smtp_security", "patching_smtp_user"),
                "the password would go over the network in clear text; use starttls or tls, or no user",
                host,
            )


def _of_hosts(view: View, *fields: str) -> Iterator[tuple[str, ...]]:
    """Yield each host with its values of FIELDS; one of which is wrong is left out."""
    for host in view.hosts():
        with suppress(Unknown):
            values = [view.of(host, f"patching_{field}") for field in fields]
            yield (host, *values)


RULES = (mail_is_whole, mail_user_has_server, mail_password_is_encrypted)
