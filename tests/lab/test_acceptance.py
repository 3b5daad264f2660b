"""A deployed portal, as those who use it see it: its API, its pages, and a person with a browser."""

from pathlib import Path

from settings.locks import schema
from tests.lab import acceptance
from tests.lab.acceptance import Portal
from tests.lab.browser import BrowserError
from tests.lab.stage import Stage


def test_without_a_browser(portal: Portal, converged: Stage) -> None:
    token = converged.read("/etc/ckan/default/sysadmin-token").strip()
    acceptance.all_without_browser(portal, schema()["version"], token)


def test_the_browser_refuses_a_wrong_certificate(portal: Portal) -> None:
    acceptance.wrong_certificate_is_refused(portal)


def test_a_person_publishes(portal: Portal, tmp_path: Path) -> None:
    for attempt in range(3):
        try:
            acceptance.person_publishes(portal, tmp_path)
            return
        except BrowserError as error:
            # Chromium drops its requests when an interface comes or goes: another lab on this machine makes some.
            if "ERR_NETWORK_CHANGED" not in str(error) or attempt == 2:
                raise
