"""A portal that ckan-deploy did not deploy is not changed, unless all of it is kept or somebody says so."""

from __future__ import annotations

from io import StringIO

from pyinfra import host

from deploys.base import MARKER
from deploys.ckan import INI, configuration
from deploys.tls import shown
from facts.foreign import Foreign, ForeignState, PortalState
from operations import certificate
from settings.host import HostSettings
from settings.releases import Release
from settings.tls import TlsSettings

# One of these is on each host that ckan-deploy has deployed, also before it wrote a marker.
_TRACES = (MARKER, "/var/lib/ckan-deploy", "/etc/ckan-deploy/firewall.nft")
_MOST = 12  # names of options that are said


def foreign(settings: HostSettings, release: Release) -> tuple[bool, str]:
    """Tell whether the host is ours; if not, say what a run would lose of a portal there, empty for nothing."""
    ini = ""
    if settings.ckan:
        ini = configuration(settings.ckan, release, settings.dcor, settings.object_storage).secret
    database = settings.postgresql
    found = host.get_fact(
        Foreign,
        marks=_TRACES,
        ini=INI,
        database=database.database if database else "",
        port=database.port if database else 0,
        _stdin=StringIO(ini),
    )
    taken_over = bool({host.name, host.name.rpartition("/")[2]} & {*settings.base.take_over})
    if found.ours or taken_over:
        return found.ours, ""
    return False, _problem(found, settings)


def _problem(found: ForeignState, settings: HostSettings) -> str:
    database = settings.postgresql
    regardless = f'take the host over regardless with base_take_over = ["{host.name}"]'
    if found.portal:
        losses = _losses(found.portal, settings)
        return losses and (
            f"it has a portal that ckan-deploy did not deploy ({_what(found.portal)}), and a run would {losses}; keep "
            f"that with the settings that docs/takeover.md names, or {regardless}"
        )
    if found.database and database:
        return (
            f"it has a PostgreSQL database {database.database} that ckan-deploy did not make, and a run would replace "
            f"who may connect to it and its owner's password; see docs/takeover.md, or {regardless}"
        )
    return ""


def _what(portal: PortalState) -> str:
    return ", ".join(
        (
            portal.ini,
            _count(portal.datasets, "datasets"),
            _count(portal.users, "users"),
            f"{portal.files} files in {portal.storage or 'no folder'}",
            _count(portal.jobs, "waiting jobs"),
            *(f"the certificate {path}" for path in sorted(portal.certificates)),
        )
    )


def _count(number: int | None, what: str) -> str:
    return f"an unknown number of {what}" if number is None else f"{number} {what}"


def _losses(portal: PortalState, settings: HostSettings) -> str:
    """Say what a run would do to PORTAL, as the end of "a run would"."""
    losses = []
    if not portal.sessions_kept:
        losses.append("end all sessions (ckan_secret_key is not its SECRET_KEY)")
    if not portal.tokens_kept:
        losses.append("make all API tokens invalid (they were signed with another secret)")
    if not portal.database_kept:
        losses.append(f"use another database than theirs, {portal.database}")
    if not portal.storage_kept and portal.files:
        losses.append(f"leave its files behind (ckan_storage_path is not {portal.storage})")
    if not portal.queue_kept and portal.jobs != 0:
        losses.append("lose its waiting jobs (they are in another Redis, or in another database of it)")
    if settings.tls and (reason := _other_certificate(portal.certificates, settings.tls)):
        losses.append(f"replace its certificate ({reason})")
    if portal.options:
        more = f" and {len(portal.options) - _MOST} more" if len(portal.options) > _MOST else ""
        losses.append(f"change or drop these options: {', '.join(portal.options[:_MOST])}{more}")
    return ", ".join(losses)


def _other_certificate(present: dict[str, str], settings: TlsSettings) -> str:
    """Say why another certificate than one of PRESENT would be shown; empty when it would not, or there is none."""
    if not present:
        return ""
    if settings.source == "provided":
        ours = settings.fingerprint
        return "" if ours in present.values() else "that of tls_certificate_file is another"
    if settings.certificate_path not in present:
        return f"the one at {settings.certificate_path} would be shown"
    return certificate.why_made_anew(shown(settings))
