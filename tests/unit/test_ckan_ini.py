"""ckan.ini as a whole, read by the parsers that CKAN uses."""

from __future__ import annotations

import configparser
import io
import logging
import logging.config

import pytest

from operations.text import render
from settings.ckan import CkanSettings
from settings.secret import Secret


def _ini(**given: object) -> configparser.ConfigParser:
    secret = Secret("s")  # type: ignore[no-untyped-call]
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


@pytest.mark.parametrize("email_to", ["", "operators@example.org"])
def test_a_warning_while_ckan_starts_does_not_end_it(email_to: str) -> None:
    """CKAN 2.11: with email_to its logger gets a filter that fails outside of a request, and it warns at its start."""
    ini = _ini(email_to=email_to)
    logger = logging.getLogger("ckan.config.middleware.flask_app")
    text = io.StringIO()
    ini.write(text)
    text.seek(0)
    try:
        logging.config.fileConfig(text, disable_existing_loggers=False)
        logger.addFilter(lambda record: pytest.fail("the filter was asked"))
        if email_to:
            logger.warning("every start")
        assert logger.isEnabledFor(logging.ERROR)
        assert logger.isEnabledFor(logging.WARNING) != bool(email_to)
    finally:
        logger.filters.clear()
        logging.config.dictConfig({"version": 1})
        logger.setLevel(logging.NOTSET)
