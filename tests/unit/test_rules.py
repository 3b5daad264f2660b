"""Settings that do not fit together, each rule alone: what breaks it, and what just does not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from settings.ckan_deb import DEBS
from settings.locks import schema
from settings.provided import KEY_STAND_IN
from settings.resolve import examine, resolve
from settings.rule import Clash, View
from settings.rules import RULES
from settings.store import SecretStore
from settings.values import Values
from tests.unit.test_settings import ONE, SPLIT, Groups, sources

HASH = "--hash=sha256:" + "0" * 64
SYSADMIN = {"ckan_sysadmin": "admin", "ckan_sysadmin_email": "admin@example.org"}
DEB = {"ckan_source": "deb", "ckan_deb_url": "https://mirror.example.org/c.deb", "ckan_deb_sha256": "0" * 64}
MAIL = {"ckan_smtp_server": "mail.example.org", "ckan_mail_from": "portal@example.org"}


HOST_MAIL = {
    "patching_smtp_server": "mail.example.org",
    "patching_mail_from": "hosts@example.org",
    "patching_mail_to": "operators@example.org",
}


def extension(*requirements: str, **more: Any) -> dict[str, Any]:
    return {"ckan_extensions": [{"requirements": [f"{one} {HASH}"], **more} for one in requirements]}


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    """No store can make a key that belongs to a certificate."""
    monkeypatch.setenv("CKAN_DEPLOY_SECRET_TLS_KEY", KEY_STAND_IN)


def said(groups: Groups, data: Mapping[str, Any], hosts: Mapping[str, Mapping[str, Any]], folder: Path) -> list[str]:
    store = SecretStore(folder, generate=True)
    return [str(problem) for problem in examine(sources(groups, data, hosts), store).problems]


CASES: list[tuple[Groups, dict[str, Any], str]] = [
    (ONE, {"redis_port": 5432}, "both would listen on this port of data; choose another for one"),
    (ONE, {"uwsgi_port": 8983}, "both would listen on this port of data; choose another for one"),
    (ONE, {"redis_port": 7983}, "Solr waits for the order to stop on its port - 1000"),
    (SPLIT, {"uwsgi_port": 443}, "the port is that of nginx on the same host; choose another, as 8080"),
    (ONE, {"solr_heap": "1417m"}, "may take 1801 MiB, but a host with 1800 MiB would pass for large enough"),
    (SPLIT, {"redis_maxmemory": "2gb"}, "the services of cache may take 2048 MiB, but a host with 1800 MiB would pass"),
    (
        SPLIT,
        {"uwsgi_workers": 17, "postgresql_max_connections": 20},
        "allow at least 21 connections, or have fewer workers",
    ),
    (ONE, {"solr_version": "9.9.0"}, "set solr_sha512 to that of solr-9.9.0.tgz"),
    (ONE, {"ckan_sysadmin": "admin"}, "CKAN makes no user without one; set ckan_sysadmin_email"),
    (ONE, {**SYSADMIN, "ckan_sysadmin": "default"}, "CKAN's own user has this name; choose another for the sysadmin"),
    (ONE, {"ckan_smtp_user": "u"}, "there is no server to log in to; set ckan_smtp_server, or no user"),
    (ONE, {"ckan_smtp_server": "mail.example.org"}, "CKAN cannot write a mail without a sender; set ckan_mail_from"),
    (ONE, {"ckan_email_to": "o@example.org"}, "error reports are sent by mail; set ckan_smtp_server, or no address"),
    (ONE, {"ckan_plugins": ["activity", "text_view"]}, "no resource gets image_view, webpage_view without the plugin"),
    (
        ONE,
        {"ckan_options": {"smtp.server": "x"}},
        "the option smtp.server has a setting of its own; set ckan_smtp_server",
    ),
    (ONE, {"ckan_options": {"SECRET_KEY": "x"}}, "the option SECRET_KEY is a secret and must not stand in clear text"),
    (ONE, {"ckan_options": {"sqlalchemy.url": "x"}}, "the option sqlalchemy.url is derived from the group postgresql"),
    (ONE, extension("a==1", options={"solr_url": "x"}), "the option solr_url is derived from the group solr"),
    (ONE, extension("ckanext-a==1", "ckanext_A==2"), "ckanext-a is pinned to 1 and to 2, but there is one environment"),
    (ONE, extension("Flask==1.0"), "flask is pinned to 1.0, but CKAN's own lock has "),
    (ONE, {**DEB, "ckan_deb_sha256": ""}, "there is no default for the package's SHA-256: download it, compare"),
    (ONE, {**DEB, "ckan_deb_url": ""}, f"no release of CKAN's package is known for CKAN {schema()['version']}, which"),
    (
        ONE,
        {"patching_smtp_server": "mail.example.org"},
        "a mail needs a sender and somebody who gets it; set patching_m",
    ),
    (ONE, {"patching_smtp_user": "u"}, "there is no server to log in to; set patching_smtp_server, or no user"),
    (
        ONE,
        {"patching_smtp_user": "u", "patching_smtp_security": "none", **HOST_MAIL},
        "the password would go over the network in clear text; use starttls or tls, or no user",
    ),
    (ONE, {"tls_source": "provided"}, "there is no certificate; set tls_certificate_file to the path of a PEM chain"),
    (ONE, {"tls_certificate_file": "/c"}, 'the file would not be used; set tls_source = "provided", or remove tls_c'),
    (
        ONE,
        {"tls_source": "provided", "tls_certificate_file": "/c.pem"},
        "/c.pem cannot be read: No such file or directory; check the path, which starts here",
    ),
    (
        ONE,
        {"nginx_timeout": 501},
        "the wait after an upload must not be shorter than any other; raise nginx_upload_timeout",
    ),
]


@pytest.mark.parametrize(("groups", "data", "sentence"), CASES, ids=[", ".join(data) for _, data, _ in CASES])
def test_what_does_not_fit_is_said_once(groups: Groups, data: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    (line,) = said(groups, data, {}, tmp_path)
    assert sentence in line
    assert line.startswith("group_data/all.py:"), "the place of what was set"
    assert ": " in line.partition(": ")[2]


@pytest.mark.parametrize(
    ("groups", "data"),
    [
        (SPLIT, {"redis_port": 5432}),  # on another host
        (SPLIT, {"redis_port": 7983}),
        (ONE, {"solr_heap": "1416m"}),
        (ONE, {"solr_heap": "4g", "base_minimum_memory": 5000}),
        (SPLIT, {"uwsgi_workers": 16, "postgresql_max_connections": 20}),
        (ONE, {"solr_version": "9.9.0", "solr_sha512": "0" * 128}),
        (ONE, {"solr_sha512": "0" * 128}),
        (ONE, {"ckan_sysadmin_email": "a@example.org", "ckan_sysadmin_token": True}),
        (ONE, SYSADMIN),
        (ONE, MAIL),
        (ONE, {**MAIL, "ckan_email_to": "o@example.org"}),
        (ONE, {"ckan_default_views": ["pdf_view"]}),  # of an extension, under whatever name
        (ONE, {"ckan_plugins": ["activity"], "ckan_default_views": []}),
        (ONE, {"ckan_options": {"ckan.site_url": "https://data.example.org/x"}}),
        (ONE, extension("ckanext-a==1", "ckanext-b==2")),
        (ONE, DEB),
        (ONE, {"ckan_deb_sha256": "0" * 64}),  # ready for a change of the source
        (ONE, {"tls_renew_before": "2026-01-31"}),
        (ONE, {"nginx_timeout": 500}),
    ],
)
def test_what_fits_is_accepted(groups: Groups, data: dict[str, Any], tmp_path: Path) -> None:
    assert resolve(sources(groups, data), SecretStore(tmp_path, generate=True))


def test_a_development_host_has_no_package(tmp_path: Path) -> None:
    lines = said(ONE, {**DEB, "develop_enabled": True}, {}, tmp_path)
    assert sum("a development host has an environment of its own lock; set ckan_source" in line for line in lines) == 1


def test_the_address_of_a_known_package_need_not_be_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version, url = schema()["version"], "https://packages.example.org/c.deb"
    monkeypatch.setitem(DEBS, version, url)
    (host,) = resolve(sources(ONE, {**DEB, "ckan_deb_url": ""}), SecretStore(tmp_path, generate=True)).values()
    assert host.ckan and host.ckan.deb_address == url


@pytest.mark.parametrize(
    ("hosts", "sentence"),
    [
        (
            {"cache": {"address": "192.0.2.20"}},
            "address = '192.0.2.20': data has the same address; give each host its own",
        ),
        ({"cache": {"address": "127.0.0.2"}}, "other hosts cannot reach cache by this; give it one of their network"),
        (
            {"cache": {"secrets_generate": True}},
            "it is another one for data; set it once, in the environment's group_data",
        ),
        ({"cache": {"solr_heap": "1g"}}, "solr_heap does nothing for host cache: it is for the host in group solr"),
    ],
)
def test_hosts_that_do_not_fit(hosts: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    (line,) = said(SPLIT, {}, hosts, tmp_path)
    assert sentence in line and line.startswith("inventory/x.py:")


def test_a_renewal_of_a_provided_certificate(tmp_path: Path) -> None:
    lines = said(ONE, {"tls_source": "provided", "tls_renew_before": "2026-01-31"}, {}, tmp_path)
    assert sum("only a self-signed certificate is renewed here" in line for line in lines) == 1


def test_a_loopback_address_is_enough_for_one_host(tmp_path: Path) -> None:
    assert said(ONE, {}, {"data": {"address": "127.0.0.2"}}, tmp_path) == []


def test_a_rule_waits_for_its_values_and_no_other_does(tmp_path: Path) -> None:
    lines = said(ONE, {"redis_port": "many", "solr_port": 5432, "nginx_timeout": 501}, {}, tmp_path)
    assert len(lines) == 3
    assert not any("redis_port" in line for line in lines if "both would listen" in line)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({"redis_port": 7983, "uwsgi_port": "many"}, "Solr waits for the order to stop on its port - 1000"),
        ({"postgresql_port": 70000, "redis_port": 7983}, "Solr waits for the order to stop on its port - 1000"),
        ({"ckan_options": {"SECRET_KEY": "x"}, "ckan_extensions": "pages"}, "the option SECRET_KEY is a secret"),
        (
            {"ckan_options": 7, **extension("a==1", options={"smtp.server": "x"})},
            "the option smtp.server has a setting of its own",
        ),
        ({"patching_smtp_user": "u", "patching_mail_to": "nobody"}, "there is no server to log in to"),
    ],
)
def test_what_a_rule_finds_without_a_wrong_value_is_said_beside_it(
    data: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    lines = said(ONE, data, {}, tmp_path)
    assert sum(sentence in line for line in lines) == 1
    assert len(lines) == 2, lines


def test_a_rule_that_meets_a_wrong_value_keeps_what_it_found() -> None:
    def rule(view: View) -> Iterator[Clash]:
        yield Clash(("redis_port",), "this is said")
        yield Clash(("uwsgi_port",), "this has a value that is wrong")

    picked = {"data": sources(ONE, {"uwsgi_port": "many"})["data"].pick()[0]}
    values = Values(sources(ONE), picked, {"data": {}})
    assert ["this is said" in str(problem) for problem in values.broken([rule, rule])] == [True, True]


def test_a_secret_in_an_option_is_not_shown(tmp_path: Path) -> None:
    for options in ({"SECRET_KEY": "cl3ar"}, {"x.password": ["cl3ar"]}, {"x": ["postgresql://u:cl3ar@h/d"]}):
        (line,) = said(ONE, {"ckan_options": options}, {}, tmp_path)
        assert "cl3ar" not in line


def test_every_rule_says_what_it_is_for() -> None:
    assert all(rule.__doc__ and rule.__doc__.endswith(".") for rule in RULES)
    assert len(set(RULES)) == len(RULES)
