"""ckan.ini as a whole, read by the parsers that CKAN uses."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from operations.text import render
from settings.ckan import CkanSettings
from settings.secret import Secret
from settings.solr import SolrSettings


def _ini(**given: object) -> configparser.ConfigParser:
    secret = Secret("s")
    values = {
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
        **{name: None for name in ("smtp_password", "sysadmin_password", "redis_password")},
        **given,
    }
    parser = configparser.ConfigParser()
    parser.read_string(render("ckan/ckan.ini.j2", CkanSettings(**values)).secret)
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
    command = [sys.executable, "-c", _START, str(path), email_to]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert ("every start" in done.stderr) != bool(email_to)


def test_ipv6_addresses_stand_in_brackets_in_urls() -> None:
    options = _ini(database_host="2001:db8::1", redis_host="2001:db8::2", redis_password=Secret("r"))["app:main"]
    assert options["sqlalchemy.url"] == "postgresql://ckan:s@[2001:db8::1]:5432/ckan"
    assert options["ckan.redis.url"] == "redis://:r@[2001:db8::2]:6379/0"
    solr = SolrSettings(bind="2001:db8::3", clients=(), schema_requirement="ckan", schema_sha256="0" * 64)
    assert urlsplit(solr.url).hostname == "2001:db8::3"
