"""Redis' configuration, and what a Redis of the distribution makes of it."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from deploys.redis import _password
from operations.text import Text, render
from settings.redis import RedisSettings
from settings.secret import Secret

PLAIN = Secret("s3cret")


def configuration(password: Secret = PLAIN, **changes: Any) -> Text:
    values: dict[str, Any] = {"bind": ("127.0.0.1",), "password": password, "clients": ()}
    settings = RedisSettings(**{**values, **changes})
    return render("redis/redis.conf.j2", settings, bind=" ".join(settings.bind), password=_password(settings.password))


def test_jobs_survive_a_restart_and_are_never_dropped() -> None:
    lines = configuration(port=6400, maxmemory="1gb").secret.splitlines()
    for line in ("port 6400", "appendonly yes", 'save ""', "maxmemory 1gb", "maxmemory-policy noeviction"):
        assert line in lines
    assert "protected-mode yes" in lines


def test_there_is_nobody_without_a_password() -> None:
    lines = configuration().secret.splitlines()
    assert [line for line in lines if line.startswith(("user ", "requirepass"))] == [
        "user default off resetpass",
        'user ckan on ">s3cret" ~* &* +@all -@admin -migrate +client|list +config|get',
    ]


def test_the_password_is_masked_also_in_the_diff() -> None:
    text = configuration(Secret("new secret"))
    assert 'user ckan on ">new secret" ' in text.secret
    assert "new secret" not in text.masked
    diff = "\n".join(text.diff(configuration(Secret("old secret"), port=6400).secret.splitlines()))
    assert "+port 6379" in diff
    assert "secret" not in diff.replace("held a secret", "")


def test_other_users_that_a_difference_removes_show_no_password() -> None:
    """Also where there is a line of the same setting without a secret."""
    shown = "\n".join(configuration().diff(["user admin on >hunter22 ~* +@all", "user default on >hunter22", "port 1"]))
    assert "-user (not shown; its secret changes)" in shown and "-port 1" in shown
    assert "hunter22" not in shown


PASSWORDS = {
    "plain1": '">plain1"',
    'a"bcdef': r'">a\"bcdef"',
    "abcdef\\": r'">abcdef\\"',
    "with space # and 'quote'": "\">with space # and 'quote'\"",
}


@pytest.mark.parametrize("password", PASSWORDS)
def test_passwords_are_one_quoted_word(password: str) -> None:
    assert _password(Secret(password)).unmask() == PASSWORDS[password]


@contextmanager
def _running(folder: Path, text: str) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    # All but what systemd and the distribution's folders are for.
    lines = [line for line in text.splitlines() if line.split(" ")[0] not in ("supervised", "pidfile", "logfile")]
    text = "\n".join(lines).replace("dir /var/lib/redis", f"dir {folder}").replace("port 6379", f"port {port}")
    (folder / "redis.conf").write_text(f"{text}\n")
    with subprocess.Popen(["redis-server", folder / "redis.conf"], stdout=subprocess.DEVNULL) as server:
        try:
            end = time.monotonic() + 10
            while subprocess.run(["redis-cli", "-p", str(port), "ping"], capture_output=True, check=False).returncode:
                assert time.monotonic() < end and server.poll() is None
                time.sleep(0.05)
            yield port
        finally:
            server.kill()


@pytest.mark.skipif(not shutil.which("redis-server"), reason="needs Redis; the lab asks the portal's")
@pytest.mark.parametrize("password", PASSWORDS)
def test_only_ckan_is_let_in_and_cannot_change_the_server(password: str, tmp_path: Path) -> None:
    with _running(tmp_path, configuration(Secret(password)).secret) as port:

        def ask(*lines: str) -> list[str]:
            done = subprocess.run(
                ["redis-cli", "-p", str(port)], input="\n".join(lines), capture_output=True, text=True, check=True
            )
            return [line for line in done.stdout.splitlines() if line]

        assert all("NOAUTH" in said for said in ask("ping", "lpush rq:queue:default x", "acl whoami"))
        word = '"' + password.replace("\\", "\\\\").replace('"', '\\"') + '"'
        enters = f"auth ckan {word}"
        assert "WRONGPASS" in ask(f"auth default {word}")[0]
        assert ask(enters, "acl whoami", "lpush x y", "client setname z") == ["OK", "ckan", "1", "OK"]
        for line in ("config set dir /tmp", "shutdown nosave", "acl setuser x on", "replicaof 192.0.2.1 1", "save"):
            assert "NOPERM" in ask(enters, line)[1], line
        assert "name=" in ask(enters, "client list")[1]
        assert ask(enters, "config get appendonly") == ["OK", "appendonly", "yes"]
