"""What a portal must do for those who use it: a function per check, which raises AssertionError saying what is wrong.

They need nothing but the portal's address and certificate, so they can be pointed at any portal; the browser's part
and the API's leave nothing that stands in the way of the next run.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import ssl
import time
import uuid
import zipfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

from tests.lab.harness.browser import Browser, BrowserError, browser, sha256

TIMEOUT = 300.0  # seconds for one request
INDEXED = 120.0  # seconds until the search knows what was saved
LARGE = 20 * 2**20  # more than any buffer on the way


@dataclass(frozen=True)
class Portal:
    """A portal, where it is, the PEM file that is trusted for it, and who may do everything there."""

    fqdn: str
    address: str
    cafile: str
    sysadmin: str
    password: str

    @property
    def url(self) -> str:
        """The portal's root, without a slash."""
        return f"https://{self.fqdn}"


def all_without_browser(portal: Portal, version: str, token: str) -> None:
    """Run all checks that take seconds."""
    reading(portal, version)
    api_round_trip(portal, token)


def reading(portal: Portal, version: str) -> None:
    """Run the checks of what everybody may do, on a portal of either flavour."""
    status(portal, version)
    search(portal)
    assets(portal)
    http_redirects(portal)
    unknown_names(portal)
    no_anonymous_writing(portal)
    no_list_of_users(portal)


# Checks without a browser.


def status(portal: Portal, version: str) -> None:
    """CKAN says that it is the VERSION that it should be, and which site."""
    with visit(portal) as session:
        found = ask(session, portal, "status_show")
    assert found["ckan_version"] == version, f"CKAN {found['ckan_version']} answers instead of {version}"
    assert found["site_url"] == portal.url, f"CKAN takes itself for {found['site_url']} instead of {portal.url}"


def search(portal: Portal) -> None:
    """The search answers: CKAN reaches Solr, and Solr has CKAN's schema."""
    with visit(portal) as session:
        found = ask(session, portal, "package_search", {"rows": 0, "facet.field": '["organization", "tags"]'})
    assert isinstance(found["count"], int), found
    assert set(found["facets"]) == {"organization", "tags"}, found["facets"]


def assets(portal: Portal) -> None:
    """The pages that everybody sees come, and the style sheets and scripts of the first one, too."""
    with visit(portal) as session:
        for path in ("/dataset/", "/organization/", "/group/", "/about", "/user/login"):
            answer = session.get(portal.url + path, timeout=TIMEOUT)
            assert answer.status_code == 200, f"{path} answers HTTP {answer.status_code}"
        page = session.get(portal.url, timeout=TIMEOUT).text
        found = {part.split('"')[0] for part in page.split('"/webassets/')[1:]}
        assert found, "the first page names no web assets"
        for name in sorted(found):
            answer = session.get(f"{portal.url}/webassets/{name}", timeout=TIMEOUT)
            assert answer.status_code == 200, f"/webassets/{name} answers HTTP {answer.status_code}"
            assert answer.content, f"/webassets/{name} is empty"


def no_list_of_users(portal: Portal) -> None:
    """Who has an account here is not told to those who have none."""
    with visit(portal) as session:
        for question in ("user_list", f"user_show?id={portal.sysadmin}"):
            answer = session.get(f"{portal.url}/api/3/action/{question}", timeout=TIMEOUT)
            assert answer.status_code == 403, f"{question} answers HTTP {answer.status_code}: {answer.text[:200]}"
        for path in ("/user/", f"/user/{portal.sysadmin}"):
            answer = session.get(portal.url + path, timeout=TIMEOUT)
            assert answer.status_code == 403 or "/user/login" in answer.url, f"{path} answers HTTP {answer.status_code}"


def http_redirects(portal: Portal) -> None:
    """Plain HTTP leads to the same page by HTTPS, and only there."""
    with visit(portal) as session:
        page = f"/dataset/?q={uuid.uuid4().hex[:8]}"
        answer = session.get(f"http://{portal.fqdn}{page}", timeout=TIMEOUT, allow_redirects=False)
        found = (answer.status_code, answer.headers.get("location"))
        assert found == (301, portal.url + page), f"http://{portal.fqdn}{page} answers {found}"
        answer = session.get(f"http://{portal.fqdn}/", timeout=TIMEOUT)
        assert (answer.status_code, answer.url) == (200, f"{portal.url}/"), (answer.status_code, answer.url)


def unknown_names(portal: Portal) -> None:
    """A request for another name, or for the bare address, gets no answer: by HTTP, and in the portal's own TLS."""
    for name in (f"other-{portal.fqdn}", portal.address):
        plain = http.client.HTTPConnection(portal.address, 80, timeout=TIMEOUT)
        assert (got := _status(plain, name)) is None, f"http with Host: {name} is answered with {got}"
        # The handshake is for the portal, only what is asked then is not.
        secure = _Secure(portal)
        assert (got := _status(secure, name)) is None, f"https with Host: {name} is answered with {got}"
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        secure = _Secure(portal, name, context)
        assert (got := _status(secure, name)) is None, f"https://{name}/ is answered with {got}"


def api_round_trip(portal: Portal, token: str, size: int = 2**20) -> None:
    """A program with an API token makes a dataset with a file of SIZE bytes, finds it, gets it back, removes all."""
    run = _word()
    organization, dataset = f"accept-api-org-{run}", f"accept-api-{run}"
    sent = os.urandom(size)
    with visit(portal) as session:
        session.headers["Authorization"] = token
        try:
            ask(session, portal, "organization_create", {"name": organization, "title": f"API {run}"})
            made = ask(
                session,
                portal,
                "package_create",
                {"name": dataset, "title": f"Made by a program {run}", "owner_org": organization, "private": False},
            )
            assert made["name"] == dataset, made
            resource = ask(
                session,
                portal,
                "resource_create",
                {"package_id": made["id"], "name": "random numbers", "format": "BIN"},
                file=("numbers.bin", sent),
            )
            assert resource["url"].startswith(f"{portal.url}/dataset/{made['id']}/resource/"), resource["url"]
            with visit(portal) as anybody:
                _until_found(anybody, portal, run, [dataset])
                got = anybody.get(resource["url"], timeout=TIMEOUT)
                assert got.status_code == 200, f"{resource['url']} answers HTTP {got.status_code}"
                wanted = hashlib.sha256(sent).hexdigest()
                assert hashlib.sha256(got.content).hexdigest() == wanted, f"{resource['url']} is not what was sent"
            # CKAN keeps the files of what is deleted or purged.
            ask(session, portal, "resource_patch", {"id": resource["id"], "url": "", "clear_upload": "true"})
            ask(session, portal, "dataset_purge", {"id": dataset})
            _until_found(session, portal, run, [])
            ask(session, portal, "organization_purge", {"id": organization})
            for name, action in ((dataset, "package_show"), (organization, "organization_show")):
                answer = session.get(f"{portal.url}/api/3/action/{action}", params={"id": name}, timeout=TIMEOUT)
                assert answer.status_code == 404, f"{name} is purged, but {action} answers HTTP {answer.status_code}"
            answer = session.get(resource["url"], timeout=TIMEOUT)
            assert answer.status_code == 404, f"{resource['url']} is still there after the purge"
        finally:
            for action, name in (("dataset_purge", dataset), ("organization_purge", organization)):
                session.post(f"{portal.url}/api/3/action/{action}", json={"id": name}, timeout=TIMEOUT)


def logs_in(portal: Portal, password: str) -> bool:
    """Whether the sysadmin gets in by the form of the log-in page with PASSWORD."""
    with visit(portal) as session:
        return enters(session, portal, password)


def enters(session: requests.Session, portal: Portal, password: str, page: str = "/dashboard/datasets") -> bool:
    """As ``logs_in``, in a session that goes on; PAGE is shown only to those who are logged in."""
    form_page = session.get(f"{portal.url}/user/login", timeout=TIMEOUT).text
    found = re.search(r'name="_csrf_token" (?:content|value)="([^"]+)"', form_page)
    assert found, "the log-in page has no CSRF token"
    form = {"_csrf_token": found[1], "login": portal.sysadmin, "password": password}
    session.post(f"{portal.url}/user/login", form, headers={"Referer": portal.url}, timeout=TIMEOUT)
    answer = session.get(f"{portal.url}{page}", timeout=TIMEOUT, allow_redirects=False)
    assert answer.status_code in (200, 302), f"{page} answers HTTP {answer.status_code}"
    return answer.status_code == 200


def no_anonymous_writing(portal: Portal) -> None:
    """Who is not logged in, or has a token that is none, makes nothing; and no account for themselves."""
    with visit(portal) as session:
        for headers in ({}, {"Authorization": "no-token"}):
            for action in ("package_create", "organization_create", "user_create"):
                answer = session.post(
                    f"{portal.url}/api/3/action/{action}",
                    json={"name": f"accept-{uuid.uuid4().hex[:10]}"},
                    headers=headers,
                    timeout=TIMEOUT,
                )
                # Whoever may do it, but has not said enough, gets an error, too, of another kind.
                assert answer.status_code == 403, f"{action} answers HTTP {answer.status_code}: {answer.text[:300]}"
                assert answer.json()["error"]["__type"] == "Authorization Error", f"anybody may do {action}"
        answer = session.get(f"{portal.url}/user/register", timeout=TIMEOUT)
        assert answer.status_code == 403, f"/user/register answers HTTP {answer.status_code}"


# Checks with a browser.


def wrong_certificate_is_refused(portal: Portal) -> None:
    """The browser that trusts no certificate refuses the portal, so that the others prove something."""
    with browser(portal.fqdn, portal.address, None) as window:
        try:
            window.visit("/")
        except Exception as error:
            if "ERR_CERT_AUTHORITY_INVALID" in str(error):
                return
            raise
        window.see("body.ssl, #main-message")
        said = window.driver.page_source
        if "ERR_CERT_AUTHORITY_INVALID" not in said:
            raise BrowserError(f"the browser shows {window.driver.title!r} without trust in its certificate")


def person_publishes(portal: Portal, folder: Path) -> str:
    """A person logs in, makes an organisation and a dataset with two files, finds it, gets the files, and logs out.

    + folder: room for the files that are sent
    + returns: the dataset's name; it stays on the portal (as does the organisation)
    """
    run = _word()
    word = f"lark{run}"
    large, archive = _files(folder, run)
    with browser(portal.fqdn, portal.address, portal.cafile) as window:
        log_in(window, portal)
        organization = make_organization(window, f"Acceptance {run}")
        dataset = make_dataset(window, organization, f"Birds of the {word} kind", [large, archive])
        _nothing_wrong(window)
        find_dataset(window, dataset, word)
        for file in (large, archive):
            window.visit(f"/dataset/{dataset}")
            window.go("#dataset-resources a.heading", file.name)
            _same(window.download("a.resource-url-analytics", file.name), file)
        _nothing_wrong(window)
        log_out(window)
        find_dataset(window, dataset, word)
        _nothing_wrong(window)
    with visit(portal) as anybody:
        _until_found(anybody, portal, word, [dataset])
    return dataset


def person_looks_around(portal: Portal) -> None:
    """A person logs in to a DCOR, where data come by DCOR-Aid only, looks around in its own words, and logs out."""
    run = _word()
    with browser(portal.fqdn, portal.address, portal.cafile) as window:
        log_in(window, portal)
        window.visit("/organization/new")
        window.see("h1", "Circle")
        window.visit("/organization/")
        window.see("h1, .page-heading, .search-form", "")
        window.visit(f"/dataset/?q=nothing{run}")
        window.see("#dataset-search-form")
        _nothing_wrong(window)
        log_out(window)


def log_in(window: Browser, portal: Portal) -> None:
    """Log in with the web form; the cookies are for encrypted connections, and hidden from scripts."""
    window.visit("/user/login")
    window.fill("#field-login", portal.sysadmin)
    window.fill("#field-password", portal.password)
    window.go("form button[type=submit]", "Login")
    window.wait("dashboard", lambda: window.path.startswith("/dashboard"))
    window.see(".account.authed, .account-masthead .account .username", portal.sysadmin)
    cookies = window.cookies()
    assert {"ckan", "dcor"} & cookies.keys(), f"there is no session cookie, only {sorted(cookies)}"
    for name, cookie in cookies.items():
        assert cookie["secure"] and cookie["httpOnly"], f"the cookie {name} is not secure and http-only: {cookie}"


def log_out(window: Browser) -> None:
    """Log out; what only those see who are logged in is closed then."""
    window.go("form[action$='/user/_logout'] button")
    window.see("a[href$='/user/login']")
    window.visit("/dashboard/datasets")
    window.wait("login form instead of the dashboard", lambda: window.path == "/user/login")
    window.see("#field-password")


def make_organization(window: Browser, title: str) -> str:
    """Make an organisation with the web form; return its name, which CKAN's scripts make of the title."""
    window.visit("/organization/new")
    window.fill("#field-name", title)
    name = _slug(window, title)
    window.go("button[name=save]", "Create Organization")
    window.wait(f"page of the organisation {name}", lambda: window.path == f"/organization/{name}")
    window.see("h1", title)
    return name


def make_dataset(window: Browser, organization: str, title: str, files: list[Path]) -> str:
    """Make a public dataset of an organisation in the web form's two steps; return its name."""
    window.visit(f"/organization/{organization}")
    window.go("a[href*='/dataset/new?group=']", "Add Dataset")
    window.fill("#field-title", title)
    name = _slug(window, title)
    window.fill("#field-notes", "Made by an acceptance test.")
    window.choose("#field-private", "Public")
    window.go("button[name=save]", "Next: Add Data")
    window.wait("form for the first file", lambda: window.path == f"/dataset/{name}/resource/new")
    for number, file in enumerate(files, start=1):
        window.attach("#resource-upload-button", "#field-resource-upload", file)
        window.fill("#field-name", file.name)
        last = number == len(files)
        window.go("button[name=save][value=go-metadata]" if last else "button[name=save][value=again]")
        _arrived(window, f"/dataset/{name}" if last else f"/dataset/{name}/resource/new", file.name)
    window.see("h1", title)
    for file in files:
        window.see("#dataset-resources a.heading", file.name)
    return name


def find_dataset(window: Browser, dataset: str, word: str) -> None:
    """Find a dataset, and no other, by a WORD of its title with the search form."""

    def found() -> bool:
        window.visit("/dataset/")
        window.fill("#dataset-search-form input[name=q]", word)
        window.go("#dataset-search-form button[type=submit]")
        links = window.driver.find_elements("css selector", ".dataset-list .dataset-heading a")
        return [str(link.get_attribute("href")) for link in links] == [f"{window.url}/dataset/{dataset}"]

    window.wait(f"dataset {dataset} in the search for {word}", found, INDEXED)
    window.go(".dataset-list .dataset-heading a")
    window.wait(f"page of the dataset {dataset}", lambda: window.path == f"/dataset/{dataset}")


def _arrived(window: Browser, page: str, after: str) -> None:
    window.wait(f"page {page} after {after}", lambda: window.path == page)


def _slug(window: Browser, title: str) -> str:
    """Wait until the form's script has made a name of the TITLE; return it."""
    wanted = title.lower().replace(" ", "-")
    window.see(".slug-preview-value", wanted)
    return wanted


def _word() -> str:
    """A word that nobody used before; of letters only, since Solr takes digits and letters for words of their own."""
    return uuid.uuid4().hex[:10].translate(str.maketrans("0123456789", "ghijklmnop"))


def _files(folder: Path, run: str) -> tuple[Path, Path]:
    large, archive = folder / f"numbers-{run}.bin", folder / f"tables-{run}.zip"
    large.write_bytes(os.urandom(LARGE))
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as target:
        for number in range(3):
            target.writestr(f"table-{number}.csv", "id,value\n" + "".join(f"{n},{n**2}\n" for n in range(1000)))
    return large, archive


def _same(got: Path, sent: Path) -> None:
    assert sha256(got) == sha256(sent), (
        f"{sent.name} came back changed: {got.stat().st_size} bytes instead of {sent.stat().st_size}, or other ones"
    )


def _nothing_wrong(window: Browser) -> None:
    complaints = window.complaints()
    assert not complaints, f"the browser complains of the portal: {'; '.join(complaints)}"


# Requests.


class _To(HTTPAdapter):
    """Sends what is for one name to one address, whatever the name resolves to."""

    def __init__(self, fqdn: str, address: str) -> None:
        self.fqdn, self.address = fqdn, address
        super().__init__()

    def send(self, request: requests.PreparedRequest, *arguments: Any, **keywords: Any) -> requests.Response:
        parts = urlsplit(request.url or "")
        assert parts.hostname == self.fqdn, f"the portal leads away, to {request.url}"
        pool = self.poolmanager.connection_pool_kw
        if parts.scheme == "https":
            pool["server_hostname"] = pool["assert_hostname"] = self.fqdn
        else:
            pool.pop("server_hostname", None)
            pool.pop("assert_hostname", None)
        moved = copy(request)
        moved.headers = request.headers.copy()
        moved.headers["Host"] = parts.netloc
        port = f":{parts.port}" if parts.port else ""
        moved.url = urlunsplit(parts._replace(netloc=f"{self.address}{port}"))
        response = super().send(moved, *arguments, **keywords)
        response.url, response.request = request.url or "", request
        return response


@contextmanager
def visit(portal: Portal) -> Generator[requests.Session, None, None]:
    """A session that trusts the portal's certificate only, and knows no proxy."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = portal.cafile
        for scheme in ("https://", "http://"):
            session.mount(scheme, _To(portal.fqdn, portal.address))
        yield session


def ask(
    session: requests.Session,
    portal: Portal,
    action: str,
    data: dict[str, Any] | None = None,
    file: tuple[str, bytes] | None = None,
) -> Any:
    """Ask one of CKAN's actions; return its result."""
    url = f"{portal.url}/api/3/action/{action}"
    if data is None:
        answer = session.get(url, timeout=TIMEOUT)
    elif file is None:
        answer = session.post(url, json=data, timeout=TIMEOUT)
    else:
        answer = session.post(url, data=data, files={"upload": file}, timeout=TIMEOUT)
    try:
        found = answer.json()
    except ValueError:
        found = None
    if answer.status_code != 200 or not isinstance(found, dict) or found.get("success") is not True:
        raise AssertionError(f"{action} answers HTTP {answer.status_code}: {answer.text[:500]}")
    return found["result"]


def _until_found(session: requests.Session, portal: Portal, word: str, names: list[str]) -> None:
    """Wait until the search for WORD finds exactly the datasets NAMES."""

    def look() -> list[str]:
        result = ask(session, portal, "package_search", {"q": word})
        return [str(dataset["name"]) for dataset in result["results"]]

    found = _wait(look, lambda found: found == names)
    assert found == names, f"after {INDEXED:.0f} seconds the search for {word} finds {found} instead of {names}"


def _wait(look: Callable[[], list[str]], good: Callable[[list[str]], bool]) -> list[str]:
    end = time.monotonic() + INDEXED
    while not good(found := look()) and time.monotonic() < end:
        time.sleep(0.5)
    return found


class _Secure(http.client.HTTPSConnection):
    """A connection to the portal's address with any name in the handshake."""

    def __init__(self, portal: Portal, name: str = "", context: ssl.SSLContext | None = None) -> None:
        self.name = name or portal.fqdn
        self.tls = context or ssl.create_default_context(cafile=portal.cafile)
        super().__init__(portal.address, 443, timeout=TIMEOUT, context=self.tls)

    def connect(self) -> None:
        http.client.HTTPConnection.connect(self)
        self.sock = self.tls.wrap_socket(self.sock, server_hostname=self.name)


def _status(connection: http.client.HTTPConnection, host: str) -> int | None:
    """Ask for the first page of HOST; return the answer's status, None when the connection is closed instead."""
    try:
        connection.putrequest("GET", "/", skip_host=True)
        connection.putheader("Host", host)
        connection.endheaders()
        return connection.getresponse().status
    except (http.client.RemoteDisconnected, ConnectionError):
        return None
    except ssl.SSLError as error:
        if isinstance(error, ssl.SSLCertVerificationError):
            raise
        return None
    finally:
        connection.close()
