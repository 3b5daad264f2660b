"""A real browser, headless Debian Chromium, that knows one portal and nothing else of the world.

The portal's name leads to its address whatever /etc/hosts says, all other names do not resolve, and exactly the given
certificate is trusted: by the browser's own certificate store, so that every certificate error is one here, too.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from selenium import webdriver
from selenium.common.exceptions import (
    NoSuchElementException,
    StaleElementReferenceException,
    TimeoutException,
    WebDriverException,
)
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select

from lab import network
from tests.lab.harness import browser_network

CHROMIUM = "/usr/bin/chromium"
DRIVER = "/usr/bin/chromedriver"
PORT = 9515  # the driver's, on the person's own computer
PACKAGES = {"chromium": CHROMIUM, "chromium-driver": DRIVER, "libnss3-tools": "/usr/bin/certutil"}
PATIENCE = 120.0  # seconds that a page may take to show something
LOADING = 300  # seconds that a page may take to load, the sending of a file included
# Read now: the tests' fixtures hide the environment's own settings from each test.
ARTEFACTS = os.environ.get("CKAN_DEPLOY_ARTEFACTS")
_FLAGS = (
    "--headless=new",
    "--no-sandbox",  # as root there is none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--disable-default-apps",
    "--no-proxy-server",
    "--window-size=1280,1600",
    "--lang=en-US",
)


class BrowserError(AssertionError):
    """The browser did not get to see what a person should."""


def missing_packages() -> str | None:
    """Say in one sentence which Debian packages the browser needs; None when all are there."""
    missing = [package for package, program in PACKAGES.items() if not os.access(program, os.X_OK)]
    if not missing:
        return None
    return f"the browser test needs Debian's {', '.join(missing)}: apt-get install {' '.join(missing)}"


@contextmanager
def browser(fqdn: str, address: str, cafile: str | None) -> Generator[Browser, None, None]:
    """Start a browser with an empty profile; nothing of it is left behind.

    + fqdn: the only name that resolves
    + address: what it resolves to
    + cafile: PEM file with the one certificate that is trusted; None trusts none

    When the body raises, what the browser showed is kept in the folder that CKAN_DEPLOY_ARTEFACTS names.
    """
    if problem := missing_packages():
        raise BrowserError(problem)
    with tempfile.TemporaryDirectory(prefix="ckan-deploy-browser-", ignore_cleanup_errors=True) as name:
        home = Path(name)
        downloads = home / "downloads"
        downloads.mkdir()
        _trust(home, cafile)
        with _driver(fqdn, address, home, downloads) as driver:
            window = Browser(driver, f"https://{fqdn}", downloads)
            try:
                yield window
            except Exception as error:
                error.add_note(window.keep(f"{type(error).__name__}-{time.strftime('%H%M%S')}"))
                raise


def _trust(home: Path, cafile: str | None) -> None:
    """Make the store of certificates that Chromium reads: of this home only. "P": trusted as this server's own."""
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    commands = [["-N", "--empty-password"]]
    if cafile is not None:
        commands.append(["-A", "-n", "portal", "-t", "P,,", "-i", cafile])
    for command in commands:
        done = subprocess.run(
            [PACKAGES["libnss3-tools"], "-d", f"sql:{store}", *command],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            check=False,
        )
        if done.returncode != 0:
            raise BrowserError(f"certutil cannot take {cafile}: {done.stderr.strip()}")


class _Elsewhere(Service):
    """A driver that is started by others, at another address than this machine's own."""

    def __init__(self, address: str) -> None:
        super().__init__(executable_path=DRIVER)  # with a path, selenium's manager, which downloads one, is not asked
        self._address = address

    @property
    def service_url(self) -> str:
        """Where the driver is."""
        return f"http://{self._address}:{PORT}"

    def start(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                socket.create_connection((self._address, PORT), timeout=5).close()
                return
            except OSError:
                if time.monotonic() > deadline:
                    raise BrowserError(f"{DRIVER} does not answer at {self.service_url}") from None
                time.sleep(0.1)

    def stop(self) -> None:
        """Nothing: who started it ends it."""


@contextmanager
def _driver(fqdn: str, address: str, home: Path, downloads: Path) -> Generator[webdriver.Chrome, None, None]:
    options = Options()
    options.binary_location = CHROMIUM
    for flag in (
        *_FLAGS,
        f"--user-data-dir={home / 'profile'}",
        f"--host-resolver-rules=MAP {fqdn} {address}, MAP * ~NOTFOUND",
    ):
        options.add_argument(flag)
    options.add_experimental_option(
        "prefs",
        {
            "download.default_directory": str(downloads),
            "download.prompt_for_download": False,
            "safebrowsing.enabled": False,
            "credentials_enable_service": False,
            "profile.password_manager_leak_detection": False,
        },
    )
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # Neither the person's own settings nor a proxy: the environment is made anew.
    environment = {
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "TMPDIR": str(home),
        "LANG": "C.UTF-8",
        "no_proxy": "*",
    }
    lab = network.current()
    assert lab, "the lab has no network: none of its hosts is up"
    command = (DRIVER, f"--port={PORT}", f"--allowed-ips={lab.gateway}", "--log-level=WARNING")
    with browser_network.running(command, environment) as there:
        driver = webdriver.Chrome(options=options, service=_Elsewhere(there))
        try:
            driver.set_page_load_timeout(LOADING)
            driver.set_script_timeout(PATIENCE)
            yield driver
        finally:
            driver.quit()


@dataclass(frozen=True)
class Browser:
    """One window, and what a person does in it."""

    driver: webdriver.Chrome
    url: str
    downloads: Path

    def visit(self, path: str) -> None:
        """Open a page of the portal by its path."""
        self.driver.get(self.url + path)

    @property
    def path(self) -> str:
        """Where the browser is, without the portal's name and the query."""
        return str(self.driver.current_url).removeprefix(self.url).split("?")[0].split("#")[0]

    def wait(self, what: str, look: Callable[[], Any], patience: float = PATIENCE) -> Any:
        """Return the first thing that LOOK finds; raise when there is none in time, saying WHAT, and where."""
        end = time.monotonic() + patience
        while True:
            try:
                if found := look():
                    return found
            except (NoSuchElementException, StaleElementReferenceException):
                pass
            if time.monotonic() >= end:
                raise BrowserError(
                    f"after {patience:.0f} seconds there is still no {what} on {self.driver.current_url} "
                    f"({self.driver.title!r}){self._complaint()}"
                )
            time.sleep(0.1)

    def see(self, selector: str, text: str = "") -> WebElement:
        """Wait for something visible that the CSS SELECTOR matches and whose text has TEXT in it."""
        what = f"{selector} with {text!r}" if text else selector

        def look() -> WebElement | None:
            for element in self.driver.find_elements(By.CSS_SELECTOR, selector):
                if element.is_displayed() and text in element.text:
                    return element
            return None

        found: WebElement = self.wait(what, look)
        return found

    def fill(self, selector: str, text: str) -> None:
        """Type TEXT into a field, instead of what is in it."""
        field = self.see(selector)
        field.clear()
        field.send_keys(text)

    def choose(self, selector: str, label: str) -> None:
        """Choose an entry of a list by what it says."""
        Select(self.see(selector)).select_by_visible_text(label)

    def attach(self, button: str, selector: str, file: Path) -> None:
        """Press the BUTTON that asks for a file, and choose FILE; its field may be invisible."""
        # Nobody could answer the window that the button opens.
        self.driver.execute_cdp_cmd("Page.setInterceptFileChooserDialog", {"enabled": True})
        self.press(button)
        field = self.wait(selector, lambda: self.driver.find_element(By.CSS_SELECTOR, selector))
        field.send_keys(str(file))

    def press(self, selector: str, text: str = "") -> None:
        """Press a button or follow a link on this page."""
        element = self.see(selector, text)
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", element)
        element.click()

    def go(self, selector: str, text: str = "") -> None:
        """Press a button or follow a link that leads to another page, and wait until that is there."""
        page = self.driver.find_element(By.TAG_NAME, "html")
        try:
            self.press(selector, text)
        except TimeoutException as error:
            raise BrowserError(f"{selector} on {self.driver.current_url} leads nowhere in {LOADING} seconds") from error

        def left() -> bool:
            try:
                page.is_enabled()
            except (StaleElementReferenceException, NoSuchElementException):
                return True
            except WebDriverException as error:  # asked in the moment of the change
                return "does not belong to the document" in str(error) or "no such execution context" in str(error)
            return False

        self.wait(f"other page after {text or selector}", left, LOADING)
        self.wait(
            f"loaded page after {text or selector}",
            lambda: self.driver.execute_script("return document.readyState") == "complete",
            LOADING,
        )

    def download(self, selector: str, file: str) -> Path:
        """Press what downloads a FILE, and return the file once it is whole."""
        self.press(selector)
        target = self.downloads / file

        def whole() -> bool:
            # Chromium writes another name first and renames; an empty file of the right name only keeps the place.
            parts = [part for part in self.downloads.iterdir() if part.suffix == ".crdownload"]
            return not parts and target.is_file() and target.stat().st_size > 0

        self.wait(f"downloaded file {file}", whole, LOADING)
        return target

    def cookies(self) -> dict[str, dict[str, Any]]:
        """The portal's cookies by name, with their attributes."""
        return {str(cookie["name"]): dict(cookie) for cookie in self.driver.get_cookies()}

    def complaints(self) -> list[str]:
        """What the browser found wrong with the portal since it was last asked: assets, scripts, policies."""
        return [
            str(entry["message"])
            for entry in self.driver.get_log("browser")  # type: ignore[no-untyped-call]
            if entry["level"] == "SEVERE" and self.url in entry["message"]
        ]

    def keep(self, name: str) -> str:
        """Keep what is shown (NAME.png), its source (.html) and the browser's log (.log); return where."""
        if not ARTEFACTS:
            return "CKAN_DEPLOY_ARTEFACTS names no folder: no screenshot was kept"
        target = Path(ARTEFACTS)
        try:
            target.mkdir(parents=True, exist_ok=True)
            (target / f"{name}.html").write_text(self.driver.page_source)
            log = self.driver.get_log("browser")  # type: ignore[no-untyped-call]
            (target / f"{name}.log").write_text("".join(json.dumps(entry) + "\n" for entry in log))
            self.driver.save_screenshot(str(target / f"{name}.png"))
        except (OSError, WebDriverException) as error:
            return f"no screenshot could be kept in {target}: {error}"
        return f"on {self.driver.current_url}; screenshot, source and log: {target / name}.png, .html, .log"

    def _complaint(self) -> str:
        """What the page itself says is wrong."""
        for selector in (".error-explanation", ".alert-danger", ".alert-error", "#main-frame-error", "main h1", "h1"):
            for element in self.driver.find_elements(By.CSS_SELECTOR, selector):
                if text := " ".join(element.text.split()):
                    return f": {text[:300]}"
        return ""


def sha256(file: Path) -> str:
    """Checksum of a file."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
