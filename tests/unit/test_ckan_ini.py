"""ckan.ini as a whole, read by the parsers that CKAN uses."""

from __future__ import annotations

import configparser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from operations.text import Text, render
from settings.ckan import CkanSettings
from settings.ckan_ini import sections
from settings.dcor import DcorSettings
from settings.object_storage import ObjectStorageSettings
from settings.secret import Secret
from settings.solr import SolrSettings
from tests.unit import programs


def _ini(**given: object) -> configparser.ConfigParser:
    return _read(_ckan(**given))


def _ckan(**given: object) -> CkanSettings:
    secret = Secret("s3cret")
    values = {
        "flavour": "ckan",
        "develop": False,
        "program_variables": {},
        "fqdn": "data.example.org",
        "upload_limit": 1,
        "version": "2.11.6",
        "secret_key": secret,
        "database_host": "127.0.0.1",
        "database_port": 5432,
        "database_role": "ckan",
        "database_name": "ckan",
        "database_password": secret,
        "redis_host": "127.0.0.1",
        "redis_port": 6379,
        "solr_url": "http://127.0.0.1:8983/solr/ckan",
        "solr_schema": "0" * 64,
        **{name: None for name in ("api_token_secret", "smtp_password", "sysadmin_password")},
        "redis_password": secret,
        **given,
    }
    return CkanSettings(**values)


def _read(
    ckan: CkanSettings, dcor: DcorSettings | None = None, storage: ObjectStorageSettings | None = None
) -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    found = sections(ckan, dcor, storage, packages="/packages")
    parser.read_string(render("ckan/ckan.ini.j2", ckan, sections=found).secret)
    return parser


# As CKAN does it: the filter is of app.logger, whose name is the module's, and the warning comes before any request.
_START = """
import logging, logging.config, sys
logging.config.fileConfig(sys.argv[1], disable_existing_loggers=False)
logger = logging.getLogger("ckan.config.middleware.flask_app")
def outside_of_a_request(record):
    raise RuntimeError("Working outside of request context.")
if sys.argv[2]:
    logger.addFilter(outside_of_a_request)
logger.warning("every start")
assert logger.isEnabledFor(logging.ERROR)
"""


@pytest.mark.parametrize("email_to", ["", "operators@example.org"])
def test_a_warning_while_ckan_starts_does_not_end_it(email_to: str, tmp_path: Path) -> None:
    """CKAN 2.11: with email_to its logger gets a filter that fails outside of a request, and it warns at its start."""
    path = tmp_path / "ckan.ini"
    with path.open("w") as file:
        _ini(email_to=email_to).write(file)
    done = programs.run(["-c", _START, str(path), email_to], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert ("every start" in done.stderr) != bool(email_to)


def test_ipv6_addresses_stand_in_brackets_in_urls() -> None:
    options = _ini(database_host="2001:db8::1", redis_host="2001:db8::2", redis_password=Secret("r3dis1"))["app:main"]
    assert options["sqlalchemy.url"] == "postgresql://ckan:s3cret@[2001:db8::1]:5432/ckan"
    assert options["ckan.redis.url"] == "redis://ckan:r3dis1@[2001:db8::2]:6379/0"
    solr = SolrSettings(bind="2001:db8::3", clients=(), schema_requirement="ckan", schema_sha256="0" * 64)
    assert urlsplit(solr.url).hostname == "2001:db8::3"


STORAGE = {
    "kind": "external",
    "endpoint": "https://s3.example.org",
    "access_key_id": "AK",
    "secret_access_key": Secret("50%-of-it"),
    "ca_source": "",
    "ca_certificate": "",
}


def _dcor(**given: object) -> configparser.SectionProxy:
    ckan = _ckan(flavour="dcor", email_to="a@example.org", **given)
    return _read(ckan, DcorSettings(), ObjectStorageSettings(**STORAGE))["app:main"]


# What `dcor inspect` checks against a folder of the site (dcor_control 1.17.3, dcor_defaults.ini.template), and
# what DCOR's own installation sets beside it; without what depends on the site, and what CKAN 2.11 no longer reads.
DCOR = """
ckan.site_title = DCOR
ckan.auth.anon_create_dataset = false
ckan.auth.create_unowned_dataset = false
ckan.auth.create_dataset_if_not_in_organization = false
ckan.auth.allow_collaborators_to_change_owner_org = false
ckan.auth.user_create_groups = true
ckan.auth.user_create_organizations = true
ckan.auth.user_delete_groups = true
ckan.auth.user_delete_organizations = false
ckan.auth.roles_that_cascade_to_sub_groups = admin
ckan.auth.public_user_details = false
ckan.auth.allow_dataset_collaborators = true
ckan.auth.create_user_via_api = false
ckan.auth.create_user_via_web = false
ckan.auth.public_activity_stream_detail = false
ckan.auth.allow_admin_collaborators = false
ckan.auth.create_default_api_keys = false
ckan.auth.reveal_private_datasets = false
ckan.upload.user.types = image
ckan.upload.group.types = image
ckan.theme = dcor_theme_main/dcor_theme_main
ckan.locale_default = en_US
dcor_object_store.ssl_verify = true
dcor_object_store.bucket_name = circle-{organization_id}
dcor_object_store.endpoint_url = https://s3.example.org
dcor_object_store.access_key_id = AK
dcor_object_store.secret_access_key = 50%%-of-it
ckan.search.default_include_private = true
ckan.favicon = /favicon.ico
ckan.gravatar_default = disabled
ckan.plugins = stats text_view image_view dcor_depot dcor_schemas dc_serve dc_view dc_log_view dcor_theme
ckan.views.default_views = image_view text_view dc_view dc_log_view
ckan.webassets.path = /var/lib/ckan/webassets
ckanext.dcor_depot.tmp_dir = /cache/ckanext-dcor_depot
ckanext.dc_serve.create_condensed_datasets = true
ckanext.dc_serve.enable_intra_dataset_basins = true
ckanext.dc_serve.tmp_dir = /cache/ckanext-dc_serve
ckan.extra_resource_fields = etag sha256
ckanext.dcor_schemas.allow_content_listing_for_anon = true
ckanext.dcor_schemas.allow_public_datasets = true
ckanext.dcor_schemas.json_resource_schema_dir = package
ckanext.dcor_schemas.notify_user_create = true
ckan.csrf_protection.ignore_extensions = false
licenses_group_url = file:///packages/ckanext/dcor_schemas/licenses.json
REMEMBER_COOKIE_NAME = remember_token
REMEMBER_COOKIE_DOMAIN = data.example.org
REMEMBER_COOKIE_DURATION = 7776000
REMEMBER_COOKIE_SECURE = true
REMEMBER_COOKIE_HTTPONLY = true
REMEMBER_COOKIE_SAMESITE = Strict
SESSION_TYPE = cookie
SESSION_COOKIE_NAME = dcor
SESSION_COOKIE_DOMAIN = data.example.org
SESSION_COOKIE_SECURE = true
SESSION_COOKIE_HTTPONLY = true
SESSION_COOKIE_SAMESITE = Strict
SESSION_REFRESH_EACH_REQUEST = false
PERMANENT_SESSION_LIFETIME = 7776000
WTF_CSRF_ENABLED = true
WTF_CSRF_CHECK_DEFAULT = true
"""


def test_dcor_has_all_of_its_options_and_none_that_is_dead() -> None:
    found = _dcor()
    wanted = configparser.RawConfigParser()
    wanted.read_string(f"[x]\n{DCOR}")
    for name, value in wanted["x"].items():
        assert found[name] == value.replace("%%", "%"), name
    assert not [name for name in found if name.startswith("beaker.") or name == "hide_version"]


def test_the_site_replaces_options_of_dcor_and_adds_plugins_after_its_own() -> None:
    options = {"SESSION_COOKIE_SAMESITE": "Lax", "ckan.theme": "mine/mine"}
    found = _dcor(extensions=({"plugins": ("pages",), "options": options},))
    assert {name: found[name] for name in options} == options
    assert found["ckan.plugins"].split()[-2:] == ["dcor_theme", "pages"]


def test_a_plain_ckan_shows_its_users_to_nobody_without_an_account() -> None:
    name = "ckan.auth.public_user_details"
    assert _ini()["app:main"][name] == "false"
    assert _ini(options={name: "true"})["app:main"][name] == "true"


def test_a_plain_ckan_has_nothing_of_dcor() -> None:
    text = str(dict(_ini()["app:main"]))
    assert not [word for word in ("dcor", "dc_", "theme", "/cache") if word in text]


def test_a_difference_says_what_another_key_means() -> None:
    """With another change beside it, which is shown, too."""

    def text(**given: object) -> Text:
        ckan = _ckan(**given)
        return render("ckan/ckan.ini.j2", ckan, sections=sections(ckan, None, None, packages="/packages"))

    old = text(secret_key=Secret("0ld-key"), site_title="Old title")
    shown = text(secret_key=Secret("n3w-key"), site_title="New title").diff(old.secret.splitlines())
    assert "~SECRET_KEY = *** → *** (changes: sessions and API tokens become void)" in shown
    assert [line for line in shown if "title" in line] == [
        "-ckan.site_title = Old title",
        "+ckan.site_title = New title",
    ]
    assert not [line for line in shown if "0ld" in line or "n3w" in line or "may be secret" in line]
