"""Rules about CKAN's settings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress

from packaging.utils import canonicalize_name

from settings.ckan_deb import DEBS
from settings.flavours import FLAVOURS
from settings.locks import lock, schema, version
from settings.releases import RELEASES
from settings.rule import Clash, Rule, Unknown, View

# Views that are plugins of CKAN itself, of the same name. Those of extensions may be named otherwise.
_OWN_VIEWS = {"audio_view", "datatables_view", "image_view", "text_view", "video_view", "webpage_view"}
# Lines of ckan.ini that a setting of ours writes, and that ckan_options would only write once more.
_OWN_OPTIONS = {
    "ckan.max_resource_size": "portal_upload_limit",
    "ckan.plugins": "ckan_plugins",
    "ckan.storage_path": "ckan_storage_path",
    "ckan.webassets.path": "ckan_webassets_path",
    "ckanext.dc_serve.create_condensed_datasets": "dcor_condense",
    "ckanext.dc_serve.enable_intra_dataset_basins": "dcor_intra_dataset_basins",
    "ckanext.dc_serve.tmp_dir": "dcor_scratch_path",
    "ckanext.dcor_depot.tmp_dir": "dcor_scratch_path",
    "ckanext.dcor_schemas.allow_content_listing_for_anon": "dcor_anonymous_listing",
    "ckanext.dcor_schemas.allow_public_datasets": "dcor_public_datasets",
    "ckanext.dcor_schemas.json_resource_schema_dir": "dcor_supplements",
    "ckanext.dcor_schemas.notify_user_create": "dcor_notify_user_create",
    "dcor_object_store.access_key_id": "object_storage_access_key_id",
    "dcor_object_store.bucket_name": "object_storage_bucket",
    "dcor_object_store.endpoint_url": "object_storage_endpoint",
    "dcor_object_store.ssl_verify": "object_storage_ssl_verify",
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
    "api_token.jwt.decode.secret": "ckan_api_token_secret",
    "api_token.jwt.encode.secret": "ckan_api_token_secret",
    "dcor_object_store.secret_access_key": "object_storage_secret_access_key",
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
    flavour = FLAVOURS[view["portal_flavour"]]
    own, views = view["ckan_plugins"], view["ckan_default_views"]
    plugins = {*(flavour.plugins if own is None else own), *more}
    missing = [name for name in (flavour.views if views is None else views) if name in _OWN_VIEWS - plugins]
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


def _options(view: View) -> Iterator[tuple[str, str]]:
    """Yield the options of the site and of its extensions: the setting's name, and the option's."""
    with suppress(Unknown):  # those of the other setting are still looked at
        yield from (("ckan_options", option) for option in view["ckan_options"])
    with suppress(Unknown):
        yield from (("ckan_extensions", option) for one in view["ckan_extensions"] for option in one.options)


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
        elif (theirs := _locked(view["portal_flavour"], name)) and not versions & theirs:
            yield Clash(
                ("ckan_extensions",),
                f"{name} is pinned to {versions.pop()}, but CKAN's own lock has {' or '.join(sorted(theirs))}; "
                "leave it out of the extension's requirements",
                quiet=True,
            )


def _locked(flavour: str, package: str) -> set[str]:
    """Versions of PACKAGE in the locks of FLAVOUR."""
    found: set[str] = set()
    for release in RELEASES.values():
        text = lock(flavour, release.python)
        names = re.findall(r"^([A-Za-z0-9._-]+)(?:\[|==)", text, re.MULTILINE)
        found |= {version(text, name) for name in names if canonicalize_name(name) == package}
    return found


def deb_is_complete(view: View) -> Iterator[Clash]:
    """CKAN's package is downloaded from somewhere, and only the very one that was chosen."""
    if view["ckan_source"] != "deb":
        return
    version = schema()["version"]
    if not view["ckan_deb_url"] and version not in DEBS:
        known = ", ".join(f"{number} ({url})" for number, url in DEBS.items())
        yield Clash(
            ("ckan_source", "ckan_deb_url"),
            f"no release of CKAN's package is known for CKAN {version}, which locks/ have; set the address of its deb: "
            f"an asset of a release of https://github.com/ckan/ckan-packaging, or a mirror. Known is that of {known}",
        )
    if view["develop_enabled"]:
        yield Clash(
            ("ckan_source", "develop_enabled"),
            'a development host has an environment of its own lock; set ckan_source = "pypi", or no development',
        )
    if not view["ckan_deb_sha256"]:
        yield Clash(
            ("ckan_source", "ckan_deb_sha256"),
            "there is no default for the package's SHA-256: download it, compare what `sha256sum` says with the digest "
            "that GitHub shows beside the release's asset, and set it",
        )


RULES: tuple[Rule, ...] = (
    deb_is_complete,
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
