"""A portal that ckan-deploy did not deploy: how it is found, and what preflight makes of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deploys.checks import foreign
from deploys.checks.foreign import _TRACES
from facts.foreign import Foreign, ForeignState, PortalState
from settings.host import HostSettings, SettingsError
from settings.releases import RELEASES
from settings.resolve import resolve
from settings.store import SecretStore
from tests import issued
from tests.unit import private_root
from tests.unit.test_settings import ONE, sources

INI = "/etc/ckan/default/ckan.ini"
KEY, PASSWORD = "a-session-key-of-theirs", "their-database-passw0rd"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="has a mount namespace of its own")

THEIRS = f"""
[DEFAULT]
debug = false
[app:main]
use = egg:ckan
SECRET_KEY = {KEY}
api_token.jwt.encode.secret = string:%(SECRET_KEY)s
api_token.jwt.decode.secret = string:%(SECRET_KEY)s
sqlalchemy.url = postgresql://ckan_default:{PASSWORD}@localhost/ckan_default
ckan.site_title = Water levels
ckan.locale_order = en de
ckan.auth.create_user_via_web = true
ckan.feeds.limit = 20
ckan.upload.types = image text
SESSION_COOKIE_SECURE = false
ckan.site_id = water
ckan.hide_activity_from_users = %(ckan.site_id)s
ckan.resource_formats = /usr/lib/ckan/water/lib/ckan/config/resource_formats.json
ckan.storage_path = /srv/ckan-water
solr_url = http://127.0.0.1:8983/solr/ckan
"""
DATABASE = "127.0.0.1:5432/ckan_default"
OURS = f"""
[app:main]
SECRET_KEY = {KEY}
sqlalchemy.url = postgresql://ckan_default:another@127.0.0.1:5432/ckan_default
api_token.jwt.encode.secret = string:{KEY}
api_token.jwt.decode.secret = string:{KEY}
ckan.redis.url = redis://127.0.0.1:6379/0
ckan.site_title = Water levels
ckan.locale_order =  en  de
ckan.auth.create_user_via_web = True
SESSION_COOKIE_SECURE = true
ckan.site_id = water
ckan.storage_path = /srv/ckan-water/
"""
# CKAN's environment: a Python that knows a database, a queue, and CKAN's own defaults.
MODULES = {
    "psycopg2.py": """
class Cursor:
    def execute(self, query): self.row = (12 if "package" in query else 3,)
    def fetchone(self): return self.row
class Connection:
    def cursor(self): return Cursor()
def connect(url, connect_timeout):
    import os
    assert os.geteuid() != 0 and "passw0rd" in url
    return Connection()
""",
    "redis.py": """
class Client:
    def scan_iter(self, pattern): return ["rq:queue:ckan:default:default"]
    def llen(self, key): return 2
def from_url(url, socket_timeout): return Client()
""",
    "yaml.py": """
def safe_load(file):
    known = {"ckan.feeds.limit": 20, "ckan.upload.types": ["image", "text"], "ckan.site_title": None}
    options = [{"key": key, "default": default} for key, default in known.items()]
    options.append({"key": "ckan.hide_activity_from_users", "type": "list", "placeholder": "%(ckan.site_id)s"})
    options.append({"key": "SESSION_COOKIE_SECURE", "type": "bool"})
    return {"groups": [{"options": options}]}
""",
    "ckan/config/config_declaration.yaml": "",
    "ckan/__init__.py": "",
    "ckanext/__init__.py": "",
}


@pytest.fixture
def host(tmp_path: Path) -> Callable[..., ForeignState]:
    """Return the function that finds the portal on a host with some FILES, given the ckan.ini that is WANTED."""
    environment = "/usr/lib/ckan/water"
    python = f'#!/bin/sh\nshift\nPYTHONPATH={environment}/lib exec /usr/bin/python3 "$@"\n'
    base = {f"{environment}/lib/{name}": text for name, text in MODULES.items()}
    base[f"{environment}/bin/python"] = python

    def find(files: dict[str, str], wanted: str = OURS) -> ForeignState:
        private_root.write(tmp_path, {**base, **files})
        command = Foreign().command(marks=_TRACES, ini=INI).get_raw_value()
        said = private_root.run(tmp_path, command, wanted)
        assert KEY not in said and PASSWORD not in said and PASSWORD not in command
        return Foreign().process(said.splitlines())

    return find


@needs_root
def test_a_host_without_a_portal(host: Any) -> None:
    assert host({}) == ForeignState()
    assert host({"/etc/ckan/other.ini": "[logging]\nlevel = 1\n"}) == ForeignState()


@needs_root
@pytest.mark.parametrize("ini", [INI, "/etc/ckan/water/production.ini", "/srv-like/etc/water.ini"])
def test_a_portal_of_which_all_would_be_kept(host: Any, tmp_path: Path, ini: str) -> None:
    """Wherever its configuration is; what is CKAN's own default, or written in another way, is no difference."""
    files = {ini: THEIRS}
    if ini.startswith("/srv-like"):  # known from supervisor's program only
        ini = f"/etc{ini}"
        files = {ini: THEIRS, "/etc/supervisor/conf.d/water.conf": f"command=/opt/x/bin/uwsgi -i {ini}\n"}
    found = host(files)
    assert found.portal == PortalState(
        ini, 12, 3, 2, DATABASE, True, "/srv/ckan-water", 0, True, True, True, True, (), {}
    ), found  # fmt: skip


@needs_root
@pytest.mark.parametrize(
    ("theirs", "lost"),
    [
        ({KEY: "another-key"}, {"sessions_kept": False, "tokens_kept": False}),
        ({"decode.secret = string:%(SECRET_KEY)s": "decode.secret = string:its-own"}, {"tokens_kept": False}),
        ({"/srv/ckan-water": "/srv/other"}, {"storage_kept": False, "storage": "/srv/other"}),
        ({"@localhost/ckan_default": "@db.example.org:5433/water"},
         {"database": "db.example.org:5433/water", "database_kept": False}),
        ({"Water levels": "Rain"}, {"options": ("ckan.site_title",)}),
        ({"solr_url": "smtp.server = mail\nckanext.own.option = 1\nsolr_url"},
         {"options": ("ckanext.own.option", "smtp.server")}),
        ({"ckan.feeds.limit = 20": "ckan.feeds.limit = 21"}, {"options": ("ckan.feeds.limit",)}),
        ({"solr_url": "ckan.redis.url = redis://localhost:6379/3\nsolr_url"}, {"queue_kept": False}),
        ({"SECRET_KEY = ": "beaker.session.secret = ", "%(SECRET_KEY)s": KEY}, {}),
        ({"= string:%(SECRET_KEY)s": "="}, {}),
    ],
)  # fmt: skip
def test_what_would_be_lost(host: Any, theirs: dict[str, str], lost: dict[str, Any]) -> None:
    text = THEIRS
    for old, new in theirs.items():
        text = text.replace(old, new)
    kept = PortalState(INI, 12, 3, 2, DATABASE, True, "/srv/ckan-water", 0, True, True, True, True, (), {})
    assert host({INI: text}).portal == PortalState(**{**kept.to_json(), **lost})


@needs_root
@pytest.mark.parametrize(
    "files",
    [
        {INI: f"# Written by ckan-deploy: changes made here are undone by the next run.\n{THEIRS}"},
        *({INI: THEIRS, path: ""} for path in ("/var/lib/ckan-deploy/host", "/etc/ckan-deploy/firewall.nft")),
        {INI: THEIRS, "/var/lib/ckan-deploy/ckan/upgrade": ""},
    ],
)
def test_a_portal_of_ours(host: Any, files: dict[str, str]) -> None:
    """By one trace alone: hosts that drifted, that a killed run left, or of an earlier ckan-deploy."""
    assert host(files) == ForeignState(ours=True)


@needs_root
def test_files_and_certificates_are_told(host: Any) -> None:
    certificate = issued.self_signed("water.example.org")
    found = host(
        {
            INI: THEIRS.replace("/srv/ckan-water", "/var/ckan-water"),
            "/var/ckan-water/resources/1/2/3": "a file",
            "/var/ckan-water/storage/uploads/logo.png": "a file",
            "/etc/nginx/sites-enabled/water": "server {\n  ssl_certificate /etc/ssl/water.pem;\n}\n",
            "/etc/ssl/water.pem": certificate.chain,
        }
    )
    assert found.portal
    assert (found.portal.files, list(found.portal.certificates)) == (2, ["/etc/ssl/water.pem"])


class Host:
    """What is asked of a host with one portal on it."""

    name = "data"

    def __init__(self, found: ForeignState) -> None:
        self.found = found

    def get_fact(self, fact: Any, **arguments: Any) -> Any:
        return self.found if fact is Foreign else None


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., str]:
    """Return the function that says what a run would lose of a portal, given settings."""

    def say(found: ForeignState, **data: Any) -> str:
        store = SecretStore(tmp_path, generate=True)
        settings: HostSettings = resolve(sources(ONE, data), store)["data"]
        monkeypatch.setattr(foreign, "host", Host(found))
        monkeypatch.setattr("operations.certificate.host", Host(found))
        ours, sentence = foreign.foreign(settings, RELEASES["bookworm"])
        assert ours == found.ours
        return sentence

    return say


LOST = (False, False, False, False, ("smtp.server",), {"/etc/ssl/w.pem": "ab"})
ALL = PortalState(INI, 12, 3, 2, "db:5432/w", False, "/srv/w", 45, *LOST)
NOTHING = PortalState(INI, 12, 3, 2, DATABASE, True, "/srv/w", 45, True, True, True, True, (), {})


def test_all_that_would_be_lost_is_said(said: Any) -> None:
    sentence = said(ForeignState(portal=ALL))
    assert sentence == (
        "it has a portal that ckan-deploy did not deploy (/etc/ckan/default/ckan.ini, 12 datasets, 3 users, 45 files "
        "in /srv/w, 2 waiting jobs, the certificate /etc/ssl/w.pem), and a run would end all sessions (ckan_secret_key "
        "is not its SECRET_KEY), make all API tokens invalid (they were signed with another secret), use another "
        "database than theirs, db:5432/w, leave its files "
        "behind (ckan_storage_path is not /srv/w), lose its waiting jobs (they are in another Redis, or in another "
        "database of it), replace its certificate (the one at /etc/ssl/certs/data.example.org.cert would be shown), "
        "change or drop these options: smtp.server; keep that with the settings that docs/takeover.md names, or take "
        'the host over regardless with base_take_over = ["data"]'
    )


def test_a_portal_of_which_nothing_is_lost_is_taken_over(said: Any) -> None:
    assert said(ForeignState(portal=NOTHING)) == ""


def test_the_setting_that_names_the_host_takes_it_over(said: Any) -> None:
    assert said(ForeignState(portal=ALL), base_take_over=["data"]) == ""


def test_a_host_to_take_over_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"base_take_over .*there is no host dta; did you mean data\?"):
        resolve(sources(ONE, {"base_take_over": ["dta"]}), SecretStore(tmp_path / "secrets", generate=True))


def test_a_database_alone(said: Any) -> None:
    sentence = said(ForeignState(database=True))
    assert sentence.startswith("it has a PostgreSQL database ckan_default that ckan-deploy did not make")
    assert 'base_take_over = ["data"]' in sentence


def test_ours_is_never_refused(said: Any) -> None:
    assert said(ForeignState(ours=True, portal=ALL)) == ""
