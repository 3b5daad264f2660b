"""No proxy stands between the portal's services, and one that is set is used for what comes from the world."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib import request
from urllib.parse import urlsplit

import pytest
from pyinfra import host
from pyinfra.api import FactBase, operation
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state

from operations import variables
from operations.files import script
from operations.text import render
from settings.host import SettingsError
from settings.resolve import resolve
from settings.store import SecretStore
from tests.unit.test_settings import SPLIT, sources

PROXY = "http://proxy.example.org:3128"
_PYTHON = "import sys, urllib.request; urllib.request.urlopen(sys.argv[1])"
DIRECT = (
    *("localhost", "127.0.0.1", "::1", "[::1]"),
    *("192.0.2.20", "2001:db8::21", "[2001:db8::21]", "192.0.2.22", "192.0.2.23"),
    *("data.example.org", "s3.example.org"),
)


@pytest.fixture
def made(tmp_path: Path) -> Any:
    """Return the function that makes the settings of all hosts, one of which has an IPv6 address, with some DATA."""

    def make(**data: Any) -> Any:
        storage = {"object_storage_endpoint": "https://s3.example.org:9000", "object_storage_access_key_id": "key"}
        found = sources(SPLIT, {"portal_flavour": "dcor", **storage, **data}, {"database": {"address": "2001:db8::21"}})
        return resolve(found, SecretStore(tmp_path / "secrets", generate=True))

    return make


def test_the_services_are_asked_without_a_proxy(made: Any) -> None:
    """By all commands of a run, and all programs that run CKAN; whoever set a proxy, so also without one of ours."""
    found = made()
    for name in SPLIT.values():
        base = found[name[0]].base
        assert base.direct == DIRECT
        assert base.variables == {"NO_PROXY": ",".join(DIRECT), "no_proxy": ",".join(DIRECT), "TMPDIR": "/var/tmp"}
    assert found["data"].ckan.program_environment["no_proxy"] == ",".join(DIRECT)
    assert found["data"].ckan.program_environment["NO_PROXY"] == ",".join(DIRECT)


def test_a_proxy_for_one_host(made: Any) -> None:
    found = made(base_proxy=PROXY, base_no_proxy=["mirror.example.org", ".intern.example.org"])
    base = found["data"].base
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        assert base.variables[name] == PROXY
        assert name not in found["data"].ckan.program_environment, "CKAN itself is given none"
    assert base.direct == (*DIRECT, "mirror.example.org", ".intern.example.org")
    lines = render("base/apt-proxy.j2", base).secret.splitlines()
    assert f'Acquire::http::Proxy "{PROXY}";' in lines and f'Acquire::https::Proxy "{PROXY}";' in lines
    assert 'Acquire::https::Proxy::mirror.example.org "DIRECT";' in lines
    assert not any("[" in line or "::.intern" in line or "2001:" in line for line in lines)  # apt has no words for them


@pytest.mark.parametrize("value", ["proxy.example.org:3128", "http://user:password@proxy:3128", "http://proxy", "x y"])
def test_what_is_no_proxy(made: Any, value: str) -> None:
    with pytest.raises(SettingsError, match=r"base_proxy = .*: must be a URL as http://NAME:PORT, without a password"):
        made(base_proxy=value)


@pytest.mark.parametrize("value", ["https://mirror", "a b", "*", "a,b", "a;b"])
def test_what_is_no_exception(made: Any, value: str) -> None:
    with pytest.raises(SettingsError, match="base_no_proxy"):
        made(base_no_proxy=[value])


@pytest.mark.parametrize("template", ["solr/solr.service.j2", "minio/minio.service.j2"])
def test_units_take_no_proxy_from_systemd(template: str) -> None:
    text = Path("templates", template).read_text()
    assert '{% include "systemd/no-proxy.conf.j2" %}' in text.partition("[Service]")[2]
    assert all("--noproxy" in line for line in text.splitlines() if "curl" in line)


@pytest.fixture
def service() -> Iterator[int]:
    """Port of a server on loopback that answers all with an empty page."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


DEAD = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")


def test_solrs_probe_asks_solr(made: Any, service: int, tmp_path: Path) -> None:
    """Also where a proxy is set for all units, or for curl itself."""
    text = render("solr/solr.service.j2", made()["search"].solr, include="/etc/default/solr.in.sh").secret
    (probe,) = (line.partition("=")[2] for line in text.splitlines() if line.startswith("ExecStartPost="))
    *words, url = shlex.split(probe)
    (tmp_path / ".curlrc").write_text("proxy = http://127.0.0.1:9\n")
    environment = {**DEAD, "HOME": str(tmp_path), "PATH": os.environ["PATH"]}
    own = f"http://127.0.0.1:{service}{urlsplit(url).path}"
    subprocess.run([*words, "--retry", "0", own], env=environment, check=True)


@pytest.mark.parametrize("program", ["curl -sf", f"{sys.executable} -c '{_PYTHON}'"])
def test_programs_know_the_services(made: Any, service: int, program: str) -> None:
    """What a run starts (curl), and what CKAN does (Python); elsewhere they do ask the proxy."""
    url = f"http://127.0.0.1:{service}/"
    for variables_, done in ((made()["data"].base.variables, True), ({}, False)):
        environment = {"PATH": os.environ["PATH"], **DEAD, **variables_}
        assert (
            subprocess.run([*shlex.split(program), url], env=environment, capture_output=True).returncode == 0
        ) is done


@pytest.mark.parametrize("name", ["192.0.2.22", "[2001:db8::21]", "localhost", "data.example.org", "s3.example.org"])
def test_python_knows_every_service(made: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in made()["data"].ckan.program_environment.items():
        monkeypatch.setenv(variable, value)
    assert request.proxy_bypass(f"{name}:8983")
    assert not request.proxy_bypass("example.org:80")


class _Shown(FactBase[list[str]]):
    def command(self) -> str:
        """Print what a program that is started sees."""
        return 'sh -c \'printf "%s|%s\\n" "$no_proxy" "$LC_ALL"\''

    def process(self, output: list[str]) -> list[str]:
        return output


@operation()
def _show(path: str) -> Any:
    yield script('printf "%s|%s\\n" "$no_proxy" "$LC_ALL" > "$1"', path)


def test_facts_and_operations_run_with_the_variables(tmp_path: Path) -> None:
    """The contract with pyinfra: both, beside those of config.ENV, whatever this process has."""
    from tests.unit.converge import new_state

    inventory, state = new_state(["@local"])
    state.config.ENV = {"LC_ALL": "C.UTF-8"}
    state.cwd = str(tmp_path)
    connect_all(state)
    try:
        local = inventory.get_host("@local")
        with ctx_state.use(state), ctx_host.use(local):
            variables.use({"no_proxy": "127.0.0.1,::1"})
            assert host.get_fact(_Shown) == ["127.0.0.1,::1|C.UTF-8"]
        state.set_stage(StateStage.Prepare)
        add_op(state, _show, path=f"{tmp_path}/seen")
        state.set_stage(StateStage.Execute)
        run_ops(state)
    finally:
        disconnect_all(state)
    assert (tmp_path / "seen").read_text() == "127.0.0.1,::1|C.UTF-8\n"
