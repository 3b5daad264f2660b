"""nginx's settings and its site, for both flavours and all releases."""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version
from pydantic import ValidationError

from operations.text import render
from settings.nginx import NginxSettings
from settings.releases import RELEASES
from settings.versions import older_than

FLAVOURS = ("ckan", "dcor")
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


def settings(flavour: str = "ckan", **values: Any) -> NginxSettings:
    derived = {
        "flavour": flavour,
        "fqdn": "portal.example.org",
        "upstream": "127.0.0.1:8080",
        "upload_limit": 100,
        "certificate_path": "/etc/ssl/certs/portal.pem",
        "key_path": "/etc/ssl/private/portal.key",
    }
    return NginxSettings.model_validate(derived | values)


def site(flavour: str = "ckan", release: str = "noble", **values: Any) -> str:
    return render("nginx/site.conf.j2", settings(flavour, **values), release=RELEASES[release]).secret


def location(text: str, begin: str) -> str:
    """Return the block of the location that begins with BEGIN."""
    _, _, rest = text.partition(f"    location {begin}")
    assert rest, f"no location {begin}"
    return rest.partition("\n    }\n")[0]


def locations(text: str) -> list[re.Pattern[str]]:
    """Return the expressions of the locations, in their order, as nginx tries them."""
    found = re.findall(r'^    location (~\*?) "(.*)" \{$', text, re.MULTILINE)
    return [re.compile(pattern, re.IGNORECASE if kind == "~*" else 0) for kind, pattern in found]


@pytest.mark.parametrize(("flavour", "release"), list(itertools.product(FLAVOURS, RELEASES)))
def test_rendered_twice_is_the_same_and_balanced(flavour: str, release: str) -> None:
    text = site(flavour, release, aliases=("data.example.org",), robots="deny", hsts=60, blocked_paths=("spam",))
    assert text == site(
        flavour, release, aliases=("data.example.org",), robots="deny", hsts=60, blocked_paths=("spam",)
    )
    bare = re.sub(r'"[^"]*"|#.*', "", text)
    assert bare.count("{") == bare.count("}") and "\t" not in text
    assert not re.search(r"[^;{}]\n *}", bare.replace(" \n", "\n")), "a line that does not end"
    assert "/tmp" not in text


@pytest.mark.parametrize("release", RELEASES)
def test_each_release_gets_what_its_nginx_knows(release: str) -> None:
    text = site(release=release)
    servers = text.split("\nserver {\n")[1:]
    assert len(servers) == 4
    new = RELEASES[release].nginx_http2_directive
    assert ("http2 on;" in text) == new and ("listen 443 ssl http2" in text) != new
    for server in servers:
        assert "server_tokens off;" in server
        if "listen 443" in server:
            assert "ssl_protocols TLSv1.2 TLSv1.3;" in server
            assert f"ssl_ecdh_curve {RELEASES[release].tls_groups};" in server
    assert servers[-1].count("ssl_reject_handshake on;") == 1
    assert servers[-1].count("ssl_certificate") == 0


def test_without_ipv6_nothing_of_it_is_said() -> None:
    assert site().count("listen [::]:") == 4
    assert "[::]" not in site(ipv6=False)


@pytest.mark.parametrize(
    ("values", "seconds"),
    [({}, 0), ({"self_signed": False}, 63072000), ({"self_signed": False, "hsts": 0}, 0), ({"hsts": 300}, 300)],
)
def test_hsts_is_off_with_a_self_signed_certificate(values: dict[str, Any], seconds: int) -> None:
    line = f'add_header Strict-Transport-Security "max-age={seconds}" always;'
    assert (line in site(**values)) == bool(seconds)
    assert ("Strict-Transport" in site(**values)) == bool(seconds)


def test_one_limit_and_no_unlimited_one() -> None:
    assert "client_max_body_size 100m;" in site()
    with pytest.raises(ValidationError, match="upload_limit"):
        settings(upload_limit=0)


def test_ckan_is_open() -> None:
    text = site("ckan")
    for word in ("limit_except", "return 403", "return 404", "DCOR", "ckan_deploy_outdated"):
        assert word not in text.replace("DCOR's manual", "")
    assert location(text, "/ {").count("500s") == 2
    assert not any(pattern.search("/dataset/a/resource/b/download/c.zip") for pattern in locations(text))


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/user/reset", "blocked"),
        ("/userportal", "blocked"),
        ("/user.action", "blocked"),
        ("/group/a.PHP7", "extension"),
        ("/dataset/x/download/a.tar.gz", "extension"),
        ("/uploads/user/a.gif", "extension"),
        ("/api/i18n/de", "static"),
        ("/favicon.ico", "static"),
        ("/images/a/b.png", "static"),
        ("/api/3/action/x", "write"),
        ("/dataset/groups/x", "write"),
        ("/user/login", "write"),
        ("/uploads/group/a.jpeg", "write"),
        ("/", "read"),
        ("/dataset/x", "read"),
        ("/robots.txt", "read"),
        ("/01234567-89ab-cdef-0123-456789abcdef", "uuid"),
        ("/about/x", None),
        ("/favicon_ico", None),
        ("/uploads/other/a.png", None),
        ("/feeds/x", None),
        ("/user/resetter", "write"),
        ("/user/reset/key", "blocked"),
        *((f"/{name}x/a", None) for name in ("ckan-admin", "dashboard", "dataset", "group", "login_generic")),
        *((f"/{name}s", None) for name in ("organization", "revision", "user", "dataset", "dashboard", "group")),
        ("/dataset/groupsx/a", "read"),
        ("/dataset/groups\n", "read"),
        ("/group\n", None),
        ("/about\n", None),
        ("/favicon.ico\n", None),
        ("/uploads/user/a.png\n", None),
        *((f"/{name}/", "write") for name in ("ckan-admin", "group", "organization", "user")),
        *((f"/{name}/", "read") for name in ("dashboard", "dataset", "revision")),
        ("/0123", None),
    ],
)
def test_dcor_finds_the_place_of_each_path(path: str, place: str | None) -> None:
    places = ("blocked", "extension", "static", "write", "read", "uuid")
    expressions = locations(site("dcor"))
    assert len(expressions) == len(places)
    assert next((name for name, found in zip(places, expressions, strict=True) if found.search(path)), None) == place


@pytest.mark.parametrize(
    ("entry", "allowed", "refused"),
    [
        ("wiki", ["/wiki", "/wiki/", "/wiki/a/b"], ["/wikis", "/wiki.php", "/wiki\n"]),
        ("wiki/", ["/wiki/", "/wiki/a"], ["/wiki", "/wikis/"]),
        ("wiki$", ["/wiki"], ["/wiki/", "/wiki/a", "/wiki\n"]),
        ("wiki|page", ["/wiki/a", "/page"], ["/wikipage", "/pages"]),
        ("wiki.*", ["/wiki", "/wikis", "/wiki/a.php"], ["/wik"]),
        (r"a/.+\.png", ["/a/b/c.png"], ["/a/c.pngx", "/a/c.png\n"]),
    ],
)
@pytest.mark.parametrize("paths", ["read_paths", "write_paths", "static_paths"])
def test_an_entry_of_the_site_ends_with_a_part_of_the_path(
    paths: str, entry: str, allowed: list[str], refused: list[str]
) -> None:
    values: dict[str, Any] = {paths: (entry,)}
    text = site("dcor", **values)
    found = re.compile(re.findall(rf'"(\^/\(\?:{re.escape(entry)}\).*)" {{$', text, re.MULTILINE)[0])
    assert [path for path in allowed if not found.search(path)] == []
    assert [path for path in refused if found.search(path)] == []


@pytest.mark.parametrize(
    ("path", "framed"),
    [
        ("/dataset/a/resource/b/view/c", True),
        ("/de/dataset/a/resource/b/view/c/", True),
        ("/dataset/a/resource/b/view/c/delete", False),
        ("/resource/b/view/c", False),
        ("/dataset/a/resource/b/view/", False),
    ],
)
def test_only_a_view_itself_may_stand_in_a_frame(path: str, framed: bool) -> None:
    (pattern,) = re.findall(r'^    "~(.*)" "";$', site(), re.MULTILINE)
    assert bool(re.search(pattern, path)) == framed


def test_dcor_refuses_the_rest_and_has_time_for_revisions() -> None:
    text = site("dcor", upload_timeout=700)
    assert "return 404;" in location(text, "/ {")
    assert location(text, "= /api/3/action/package_revise").count("700s") == 3
    assert text.count("700s") == 3


def test_every_location_that_sets_a_header_sets_all() -> None:
    for flavour in FLAVOURS:
        static = location(site(flavour), '~ "^/(?:api/i18n/')
        for header in ("Connection close", "Host $host", "X-Forwarded-For", "X-Real-IP", "X-Forwarded-Proto https"):
            assert f"proxy_set_header {header}" in static
        assert site(flavour).count("proxy_set_header Host") == 2


def test_robots() -> None:
    assert r'return 200 "User-agent: *\nDisallow: /\n";' in location(site(robots="deny"), "= /robots.txt")
    assert "= /robots.txt" not in site()


@pytest.mark.parametrize(
    "values",
    [
        {"blocked_paths": ('a"b',)},
        {"blocked_paths": ("a b",)},
        {"read_paths": ("(",)},
        {"static_paths": ("",)},
        {"aliases": ("a_b.example.org",)},
        {"aliases": ("x.org; return 200",)},
        {"cache_dir": "/var/cache; x"},
        {"dcor_aid_minimum": "0.16.x"},
        {"robots": "maybe"},
    ],
)
def test_what_would_break_the_file_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**values)


NUMBERS = (0, 1, 2, 9, 10, 13, 14, 15, 16, 17, 19, 20, 99, 100, 116, 160)
VERSIONS = [
    *(f"{a}.{b}.{c}" for a in (0, 1, 2, 10) for b in NUMBERS for c in (0, 1, 2, 9, 10, 11, 100)),
    *(f"{a}.{b}" for a in (0, 1, 2) for b in NUMBERS),
    *("0", "1", "2", "10"),
]
SUFFIXES = ("", "rc1", ".dev3", "a1", "b2", ".post1", ".dev2+gabc", "+x")


@pytest.mark.parametrize(
    "minimum", ["0.16.0", "0.14.2", "0", "1.0.0", "0.0.1", "2.10.100", "10.0.0", "1.16", "0.100.0", "1", "1.0.3"]
)
def test_exactly_the_older_clients_are_outdated(minimum: str) -> None:
    pattern = re.compile(settings(dcor_aid_minimum=minimum).outdated_dcor_aid, re.IGNORECASE)
    wrong = [
        version + suffix
        for version in VERSIONS
        for suffix in SUFFIXES
        if bool(pattern.match(f"DCOR-Aid/{version}{suffix}")) != (Version(version + suffix) < Version(minimum))
    ]
    assert wrong == []
    assert not pattern.match("Mozilla/5.0 DCOR-Aid/0.0.1")
    assert older_than(minimum) in pattern.pattern


def test_the_default_is_the_manuals() -> None:
    manual = re.compile(r"^DCOR-Aid/(0\.[0-9]\.|0\.1[0-3]\.|0\.14\.[0-1])", re.IGNORECASE)
    ours = re.compile(settings().outdated_dcor_aid, re.IGNORECASE)
    for minor, patch in itertools.product(range(30), range(10)):
        client = f"DCOR-Aid/0.{minor}.{patch}"
        assert bool(manual.match(client)) == bool(ours.match(client)), client
    assert manual.match("DCOR-Aid/0.14.10") and not ours.match("DCOR-Aid/0.14.10")  # the manual's mistake


@pytest.mark.skipif(NGINX is None, reason="needs nginx; the lab asks the real ones of all releases")
@pytest.mark.parametrize("flavour", FLAVOURS)
def test_nginx_accepts_it(flavour: str, tmp_path: Path) -> None:
    assert NGINX is not None
    said = subprocess.run([NGINX, "-v"], capture_output=True, text=True, check=True).stderr
    new = Version(said.strip().rpartition("/")[2].split()[0]) >= Version("1.25.1")
    key, pem = tmp_path / "key", tmp_path / "pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=a", "-keyout", key, "-out", pem],
        capture_output=True,
        check=True,
    )
    release = next(name for name in ("noble", "trixie") if RELEASES[name].nginx_http2_directive == new)
    text = site(flavour, release, certificate_path=str(pem), key_path=str(key), cache_dir=f"{tmp_path}/cache")
    if new:  # which OpenSSL this machine has is not nginx's matter
        text = text.replace("X25519MLKEM768:", "")
    (tmp_path / "cache").mkdir()
    (tmp_path / "site").write_text(text)
    temporary = "".join(f"{kind}_temp_path {tmp_path}/{kind};" for kind in ("fastcgi", "uwsgi", "scgi", "proxy"))
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path}/pid; events {{}} http {{ access_log off; client_body_temp_path {tmp_path}/b; {temporary}\n"
        f"include {tmp_path}/site; }}\n"
    )
    done = subprocess.run(
        [NGINX, "-t", "-p", tmp_path, "-c", tmp_path / "nginx.conf", "-e", tmp_path / "log"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "warn" not in done.stderr
