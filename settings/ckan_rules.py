"""Rules about CKAN's settings."""

from __future__ import annotations

import re
from collections.abc import Iterator

from packaging.utils import canonicalize_name

from settings.locks import lock, version
from settings.releases import RELEASES
from settings.rule import Clash, Rule, View

# Views that are plugins of CKAN itself, of the same name. Those of extensions may be named otherwise.
_OWN_VIEWS = {"audio_view", "datatables_view", "image_view", "text_view", "video_view", "webpage_view"}
# Lines of ckan.ini that a setting of ours writes, and that ckan_options would only write once more.
_OWN_OPTIONS = {
    "ckan.max_resource_size": "portal_upload_limit",
    "ckan.plugins": "ckan_plugins",
    "ckan.storage_path": "ckan_storage_path",
    "ckan.webassets.path": "ckan_webassets_path",
    "email_to": "ckan_email_to",
    "error_email_from": "ckan_mail_from",
    "smtp.mail_from": "ckan_mail_from",
    "smtp.server": "ckan_smtp_server",
    "smtp.starttls": "ckan_smtp_starttls",
    "smtp.user": "ckan_smtp_user",
}
_SECRET_OPTIONS = {
    "SECRET_KEY": "ckan_secret_key",
    "WTF_CSRF_SECRET_KEY": "ckan_secret_key",
    "api_token.jwt.decode.secret": "ckan_secret_key",
    "api_token.jwt.encode.secret": "ckan_secret_key",
    "smtp.password": "ckan_smtp_password",
}
_DERIVED_OPTIONS = {
    "ckan.redis.url": "the group redis and redis_port",
    "solr_url": "the group solr, solr_port and solr_core",
    "sqlalchemy.url": "the group postgresql and the settings of PostgreSQL",
}


def sysadmin_has_email(view: View) -> Iterator[Clash]:
    """CKAN makes no user without an e-mail address."""
    if view["ckan_sysadmin"] and not view["ckan_sysadmin_email"]:
        yield Clash(("ckan_sysadmin", "ckan_sysadmin_email"), "CKAN makes no user without one; set ckan_sysadmin_email")


def sysadmin_is_not_the_site(view: View) -> Iterator[Clash]:
    """CKAN has a user of its own, named after the site."""
    if view["ckan_sysadmin"] == view["ckan_site_id"]:
        yield Clash(("ckan_sysadmin", "ckan_site_id"), "CKAN's own user has this name; choose another for the sysadmin")


def mail_user_has_server(view: View) -> Iterator[Clash]:
    """A user is for a server."""
    if view["ckan_smtp_user"] and not view["ckan_smtp_server"]:
        yield Clash(
            ("ckan_smtp_user", "ckan_smtp_server"), "there is no server to log in to; set ckan_smtp_server, or no user"
        )


def mail_has_sender(view: View) -> Iterator[Clash]:
    """CKAN cannot write a mail without a sender."""
    if view["ckan_smtp_server"] and not view["ckan_mail_from"]:
        yield Clash(
            ("ckan_smtp_server", "ckan_mail_from"), "CKAN cannot write a mail without a sender; set ckan_mail_from"
        )


def reports_have_server(view: View) -> Iterator[Clash]:
    """Error reports are mail."""
    if view["ckan_email_to"] and not view["ckan_smtp_server"]:
        yield Clash(
            ("ckan_email_to", "ckan_smtp_server"), "error reports are sent by mail; set ckan_smtp_server, or no address"
        )


def views_have_plugins(view: View) -> Iterator[Clash]:
    """CKAN leaves out a view whose plugin is not there."""
    more = (plugin for extension in view["ckan_extensions"] for plugin in extension.plugins)
    plugins = {*view["ckan_plugins"], *more}
    missing = [name for name in view["ckan_default_views"] if name in _OWN_VIEWS - plugins]
    if missing:
        yield Clash(
            ("ckan_default_views", "ckan_plugins"),
            f"no resource gets {', '.join(missing)} without the plugin of that name; add it to ckan_plugins, or "
            "take it from ckan_default_views",
        )


def options_have_settings(view: View) -> Iterator[Clash]:
    """What has a setting of its own is set there, where it is checked and other components see it."""
    for name, option in _options(view):
        if own := _OWN_OPTIONS.get(option):
            yield Clash((name,), f"the option {option} has a setting of its own; set {own} instead", quiet=True)


def options_are_no_secrets(view: View) -> Iterator[Clash]:
    """A secret in an option stands in clear text."""
    for name, option in _options(view):
        if own := _SECRET_OPTIONS.get(option):
            yield Clash(
                (name,),
                f"the option {option} is a secret and must not stand in clear text; remove it, and put a new {own} "
                "into the secret store",
                quiet=True,
            )


def options_are_not_derived(view: View) -> Iterator[Clash]:
    """Where CKAN finds its services follows from the inventory."""
    for name, option in _options(view):
        if inputs := _DERIVED_OPTIONS.get(option):
            yield Clash((name,), f"the option {option} is derived from {inputs}; remove it", quiet=True)


def _options(view: View) -> list[tuple[str, str]]:
    """Return the options of the site and of its extensions: the setting's name, and the option's."""
    extensions = [option for extension in view["ckan_extensions"] for option in extension.options]
    return [*(("ckan_options", name) for name in view["ckan_options"]), *(("ckan_extensions", n) for n in extensions)]


def pins_are_one(view: View) -> Iterator[Clash]:
    """One environment has one version of a package: pip refuses two."""
    lines = [line for extension in view["ckan_extensions"] for line in extension.requirements]
    pins: dict[str, set[str]] = {}
    for line in lines:
        name, _, rest = line.partition("==")
        pins.setdefault(canonicalize_name(name), set()).add(rest.split()[0])
    for name, versions in sorted(pins.items()):
        if len(versions) > 1:
            yield Clash(
                ("ckan_extensions",),
                f"{name} is pinned to {' and to '.join(sorted(versions))}, but there is one environment; choose one",
                quiet=True,
            )
        elif (theirs := _locked(name)) and not versions & theirs:
            yield Clash(
                ("ckan_extensions",),
                f"{name} is pinned to {versions.pop()}, but CKAN's own lock has {' or '.join(sorted(theirs))}; "
                "leave it out of the extension's requirements",
                quiet=True,
            )


def _locked(package: str) -> set[str]:
    """Versions of PACKAGE in CKAN's locks."""
    found: set[str] = set()
    for release in RELEASES.values():
        text = lock("ckan", release.python)
        names = re.findall(r"^([A-Za-z0-9._-]+)(?:\[|==)", text, re.MULTILINE)
        found |= {version(text, name) for name in names if canonicalize_name(name) == package}
    return found


RULES: tuple[Rule, ...] = (
    sysadmin_has_email,
    sysadmin_is_not_the_site,
    mail_user_has_server,
    mail_has_sender,
    reports_have_server,
    views_have_plugins,
    options_have_settings,
    options_are_no_secrets,
    options_are_not_derived,
    pins_are_one,
)
