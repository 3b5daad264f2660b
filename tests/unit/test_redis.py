"""Redis' configuration."""

from typing import Any

import pytest

from deploys.redis import _quoted
from operations.text import Text, render
from settings.redis import RedisSettings
from settings.secret import Secret


def hidden(text: str) -> Secret:
    return Secret(text)


def configuration(password: Secret | None = None, **changes: Any) -> Text:
    values: dict[str, Any] = {"bind": ("127.0.0.1",), "password": password, "clients": ()}
    settings = RedisSettings(**{**values, **changes})
    quoted = None if password is None else _quoted(password)
    return render("redis/redis.conf.j2", settings, bind=" ".join(settings.bind), password=quoted)


def test_jobs_survive_a_restart_and_are_never_dropped() -> None:
    lines = configuration(port=6400, maxmemory="1gb").secret.splitlines()
    for line in ("port 6400", "appendonly yes", 'save ""', "maxmemory 1gb", "maxmemory-policy noeviction"):
        assert line in lines
    assert "protected-mode yes" in lines


def test_no_password_without_clients() -> None:
    assert "requirepass" not in configuration().secret


def test_the_password_is_masked_also_in_the_diff() -> None:
    text = configuration(hidden("new secret"))
    assert 'requirepass "new secret"\n' in text.secret
    assert "new secret" not in text.masked
    diff = "\n".join(text.diff(configuration(hidden("old secret"), port=6400).secret.splitlines()))
    assert "+port 6379" in diff
    assert "secret" not in diff.replace("held a secret", "")


@pytest.mark.parametrize(
    ("password", "word"),
    [
        ("plain", '"plain"'),
        ('a"b', r'"a\"b"'),
        ("a\\", r'"a\\"'),
        ("with space # and 'quote'", "\"with space # and 'quote'\""),
    ],
)
def test_passwords_are_one_quoted_word(password: str, word: str) -> None:
    assert _quoted(hidden(password)).unmask() == word
