"""Patching: security updates are installed by themselves, services that use them restarted, errors mailed."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from operations import apt, files, service
from operations.text import render
from settings.patching import PatchingSettings

# The distribution's own file, and ours, which is read after its 50unattended-upgrades and wins.
_PERIODIC = "/etc/apt/apt.conf.d/20auto-upgrades"
_UPGRADES = "/etc/apt/apt.conf.d/52ckan-deploy"
_RESTARTS = "/etc/needrestart/conf.d/ckan-deploy.conf"
_CHANGES = "/etc/apt/listchanges.conf.d/ckan-deploy.conf"
_TIMERS = ("apt-daily.timer", "apt-daily-upgrade.timer")
_PACKAGES = ("apt-listchanges", "needrestart", "unattended-upgrades")
# Not ssmtp, as DCOR's manual has it: nobody looks after it any more, and it does not check certificates.
_MAIL_PACKAGES = ("bsd-mailx", "msmtp", "msmtp-mta")
_MAIL = "/etc/msmtprc"
_ALIASES = "/etc/msmtp-aliases"
# Perl takes almost anything for a statement: what counts is that it sets what needrestart reads.
_IS_SET = f"""perl -e 'our %nrconf; do "{_RESTARTS}"; die $@ if $@; $nrconf{{restart}} eq "a" or die "not set\\n"'"""


@deploy("Patching")
def patching(settings: PatchingSettings) -> None:
    """Have security updates installed by themselves; only those of the distribution's own default origins.

    Runs of ours restart nothing through needrestart (``operations/apt.py`` suspends it), and wait for dpkg's lock.
    """
    if settings.enabled:
        _updates(settings)
    else:
        _no_updates()
    if settings.enabled and settings.smtp_server:
        _mail(settings)
    else:
        _no_mail()


def _updates(settings: PatchingSettings) -> None:
    # First: where it stands, the rest is ours.
    files.install(
        name="Configure automatic updates", dest=_UPGRADES, text=render("patching/unattended-upgrades.j2", settings)
    )
    files.install(name="Turn on daily updates", dest=_PERIODIC, text=render("patching/auto-upgrades.j2"))
    apt.packages(name="Install what updates automatically", packages=_PACKAGES)
    files.install(
        name="Restart services after updates",
        dest=_RESTARTS,
        text=render("patching/needrestart.conf.j2", settings),
        check=_IS_SET,
    )
    files.install(  # into a folder that apt-listchanges brings
        name="Configure what is told of changes", dest=_CHANGES, text=render("patching/listchanges.conf.j2", settings)
    )
    for unit, calendar in zip(_TIMERS, (settings.download_time, settings.upgrade_time), strict=True):
        files.directory(name=f"Make the drop-in folder of {unit}", path=f"/etc/systemd/system/{unit}.d")
        files.install(
            name=f"Set the time of {unit}",
            dest=_drop_in(unit),
            text=render("patching/timer.conf.j2", calendar=calendar),
            check=f"systemd-analyze calendar '{calendar}' >/dev/null",
        )
        service.follow(name=f"Run {unit}", unit=unit)
    service.follow(name="Have updates end before a shutdown", unit="unattended-upgrades.service")


def _no_updates() -> None:
    apt.absent(name="Remove what updates automatically", packages=_PACKAGES, brought_with=_UPGRADES)
    for unit in _TIMERS:
        service.without(name=f"Give {unit} its own time back", drop_in=_drop_in(unit))
    for path in (_CHANGES, _RESTARTS):
        files.absent(name=f"Remove {path}", path=path)
    files.absent(name=f"Remove {_PERIODIC}", path=_PERIODIC, brought_with=_UPGRADES)
    files.absent(name=f"Remove {_UPGRADES}", path=_UPGRADES)


def _mail(settings: PatchingSettings) -> None:
    files.install(name="Say who gets root's mail", dest=_ALIASES, text=render("patching/mail-aliases.j2", settings))
    files.install(
        name="Configure the host's mail",
        dest=_MAIL,
        text=render("patching/msmtprc.j2", settings, aliases=_ALIASES, private=True),
        mode=0o600,  # root's mail only: msmtp tells the password to whoever may use it (--debug)
    )
    apt.packages(name="Install what sends the host's mail", packages=_MAIL_PACKAGES)


def _no_mail() -> None:
    apt.absent(name="Remove what sends the host's mail", packages=_MAIL_PACKAGES, brought_with=_ALIASES)
    files.absent(name=f"Remove {_MAIL}", path=_MAIL, brought_with=_ALIASES)
    files.absent(name=f"Remove {_ALIASES}", path=_ALIASES)


def _drop_in(unit: str) -> str:
    return f"/etc/systemd/system/{unit}.d/ckan-deploy.conf"
