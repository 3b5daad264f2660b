"""uWSGI's configuration, for all that it says of where CKAN is."""

from __future__ import annotations

from collections.abc import Iterator

from operations.text import render
from settings.uwsgi import UwsgiSettings


def _options() -> Iterator[tuple[str, str]]:
    settings = UwsgiSettings(stop_seconds=60, upload_limit=1, local_services=())
    text = render("uwsgi/ckan-uwsgi.ini.j2", settings, environment="/venv", wsgi="/etc/ckan/default/wsgi.py").secret
    for line in text.splitlines():
        name, equals, value = line.partition(" = ")
        if equals and not line.startswith(";"):
            yield name, value


def test_the_application_is_named_once() -> None:
    """UWSGI loads each that is named: a module of the same file is not found, which its log would say at each start."""
    names = ("wsgi", "wsgi-file", "file", "module", "mount", "eval", "paste", "pecan")
    assert [option for option in _options() if option[0] in names] == [("wsgi-file", "/etc/ckan/default/wsgi.py")]
    assert dict(_options())["callable"] == "application"


def test_no_option_is_said_twice() -> None:
    names = [name for name, _ in _options()]
    assert len(names) == len(set(names)) > 30
