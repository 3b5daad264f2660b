"""What is around a portal: how it is found on a real machine, and what preflight makes of it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploys.checks import surroundings
from facts.surroundings import Listener, Space, Surroundings, SurroundingsState
from settings import needs
from settings.base import least_memory
from settings.releases import RELEASES
from settings.resolve import resolve
from settings.store import SecretStore
from tests.unit.test_settings import ONE, SPLIT, sources

BOOKWORM = RELEASES["bookworm"]
_LISTEN = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.socket(family); server.bind((sys.argv[1], 0)); server.listen()
print(server.getsockname()[1], flush=True); sys.stdin.read()
"""


def ask(**arguments: Any) -> SurroundingsState:
    """Ask this machine."""
    fact = Surroundings()
    command = fact.command(**arguments).get_raw_value()
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return fact.process(done.stdout.splitlines())


@pytest.fixture(params=["127.0.0.1", "0.0.0.0", "::1"])
def squatter(request: pytest.FixtureRequest) -> Iterator[tuple[subprocess.Popen[str], str, int]]:
    """A process that listens, with its address and port."""
    with subprocess.Popen(
        [sys.executable, "-c", _LISTEN, request.param], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdin
        yield process, request.param, int(process.stdout.readline())
        process.stdin.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root sees whose sockets they are")
def test_who_listens_on_a_port(squatter: tuple[subprocess.Popen[str], str, int]) -> None:
    process, address, port = squatter
    (found,) = ask(ports=(port, 9)).listeners
    assert (found.port, found.address, found.pid) == (port, address, process.pid)
    assert found.program == Path(f"/proc/{process.pid}/comm").read_text().strip()
    assert found.executable == os.path.realpath(f"/proc/{process.pid}/exe")


def test_connections_are_no_listeners() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as client:
        assert ask(ports=(client.getsockname()[1],)).listeners == ()


def test_names_addresses_and_disks(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    (tmp_path / "some/file").write_bytes(os.urandom(300_000))
    missing = f"{tmp_path}/not/there yet"
    began = time.monotonic()
    found = ask(
        names=("localhost", "nobody.invalid"),
        mounts=("/proc", str(tmp_path)),
        folders=("/proc", f"{tmp_path}/some", missing),
        weighed=(f"{tmp_path}/some",),
    )
    assert time.monotonic() - began < 8  # a name server that is not there is given up
    assert found.names["localhost"] in ("127.0.0.1", "::1") and found.names["nobody.invalid"] == ""
    assert found.owns("127.0.0.1") and not found.owns("198.51.100.254") and not found.owns("2001:db8::1")
    assert SurroundingsState().owns("198.51.100.254")  # it cannot be told
    assert found.unmounted == (str(tmp_path),)
    assert found.space[missing].file_system == found.space[f"{tmp_path}/some"].file_system
    assert found.space[missing].file_system != found.space["/proc"].file_system
    free = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize // 1024
    assert abs(found.space[missing].free - free) < 1_000_000
    assert 290 < found.space[f"{tmp_path}/some"].used < 2000 and found.space[missing].used == 0


class Host:
    """A host of which STATE is known."""

    name = "data"
    print_prefix = "[data] "

    def __init__(self, state: SurroundingsState) -> None:
        self.state, self.asked = state, dict[str, Any]()
        self.connector_data: dict[str, Any] = {}

    def get_fact(self, fact: Any, **arguments: Any) -> SurroundingsState:
        self.asked = arguments
        return self.state


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Return the function that says what stands in the way on the host NAME, and what it is warned of."""

    def say(
        state: SurroundingsState, name: str = "data", groups: Any = ONE, **data: Any
    ) -> tuple[list[str], list[str]]:
        warned: list[str] = []
        host = Host(state)
        monkeypatch.setattr(surroundings, "host", host)
        monkeypatch.setattr("operations.saying.once", lambda message, log: warned.append(message))
        store = SecretStore(tmp_path / "secrets", generate=True)
        return surroundings.surroundings(resolve(sources(groups, data), store)[name], BOOKWORM), warned

    return say


DCOR = {
    "portal_flavour": "dcor",
    "object_storage_endpoint": "https://s3.example.org:9000",
    "object_storage_access_key_id": "key",
}
MINE = ("127.0.0.1", "192.0.2.20", "::1", "fe80::1")


def listener(port: int, unit: str, program: str = "python3", executable: str = "", address: str = "127.0.0.1") -> Any:
    return SurroundingsState(addresses=MINE, listeners=(Listener(port, address, 42, program, executable, unit),))


def test_nothing_known_is_nothing_wrong(said: Any) -> None:
    assert said(SurroundingsState(), **DCOR) == ([], [])


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (
            listener(8080, "squatter.service"),
            "port 8080, which uWSGI needs, is taken by python3 (process 42, squatter.service): stop and disable "
            "squatter.service, or set uwsgi_port to a free port",
        ),
        (
            listener(443, "apache2.service", "apache2", address="::"),
            "port 443, which nginx needs, is taken by apache2 (process 42, apache2.service): stop and disable "
            "apache2.service",
        ),
        (
            listener(6379, "session-4.scope", "redis-server", "/usr/bin/redis-server", "0.0.0.0"),
            "port 6379, which Redis needs, is taken by redis-server (process 42, session-4.scope): end it, or set "
            "redis_port to a free port",
        ),
        (
            SurroundingsState(listeners=(Listener(8983, "0.0.0.0"),)),
            "port 8983, which Solr needs, is taken by a process that cannot be seen from there (a container's, "
            "perhaps): end it, or set solr_port to a free port",
        ),
        # A program of supervisor's that is not ours.
        (
            listener(8080, "supervisor.service", "uwsgi", "/opt/other/bin/uwsgi"),
            "port 8080, which uWSGI needs, is taken by uwsgi (process 42, supervisor.service): stop and disable "
            "supervisor.service, or set uwsgi_port to a free port",
        ),
    ],
)
def test_a_foreign_process_on_our_port(said: Any, state: SurroundingsState, says: str) -> None:
    assert said(state) == ([says], [])


@pytest.mark.parametrize(
    "state",
    [
        # Ours, also on a port that another of our services had until now.
        listener(8080, "supervisor.service", "uwsgi", "/usr/lib/ckan/default.b/bin/uwsgi"),
        listener(8080, "supervisor.service", "uwsgi", "/usr/lib/ckan/default/bin/uwsgi (deleted)"),
        listener(8080, "solr.service", "java"),
        listener(5432, "postgresql@15-main.service", "postgres"),
        listener(5432, "postgresql@13-main.service", "postgres"),  # tests/unit/test_identity.py
        listener(80, "nginx.service", "nginx", address="0.0.0.0"),
        listener(6379, "redis-server.service", "redis-server"),
        # Another address.
        listener(8080, "squatter.service", address="127.0.0.2"),
    ],
)
def test_who_may_be_on_our_port(said: Any, state: SurroundingsState) -> None:
    assert said(state) == ([], [])


def test_ports_are_those_of_the_host(tmp_path: Path) -> None:
    found = resolve(sources(SPLIT), SecretStore(tmp_path / "secrets", generate=True))
    ports = {name: {port.number for port in needs.ports(settings)} for name, settings in found.items()}
    assert ports == {"data": {80, 443, 8080}, "database": {5432}, "cache": {6379}, "search": {8983, 7983}}


def test_an_address_that_the_host_does_not_own(said: Any) -> None:
    state = SurroundingsState(addresses=("127.0.0.1", "10.0.0.5", "fe80::1"))
    refused, warned = said(state, "database", SPLIT)
    assert refused == [
        "PostgreSQL would listen on 192.0.2.21, which is none of its own addresses (10.0.0.5): set `address` in the "
        "inventory to the one by which the other hosts reach it"
    ]
    assert warned == []
    # No service listens there, but people may reach it by that address: a warning.
    refused, warned = said(state)
    assert refused == []
    assert warned == [
        "192.0.2.20 is none of the addresses of data (10.0.0.5), but stands in the portal's certificate: right where "
        "people reach the portal by it (NAT), else set `address` in the inventory"
    ]
    assert said(SurroundingsState(addresses=MINE)) == ([], [])


def test_names_that_do_not_resolve(said: Any) -> None:
    state = SurroundingsState(addresses=MINE, names={"data.example.org": "", "s3.example.org": ""})
    refused, warned = said(state, **DCOR)
    assert refused == [
        "the object storage's name s3.example.org does not resolve there, so CKAN would not reach it: have it in DNS, "
        "or in the host's /etc/hosts"
    ]
    assert len(warned) == 1 and warned[0].startswith("the portal's name data.example.org does not resolve on data: ")
    # With MinIO on the portal's host its name is the portal's.
    with_minio = {**ONE, "object_storage": ["data"]}
    refused, warned = said(state, groups=with_minio, portal_flavour="dcor")
    assert len(refused) == 1 and "the object storage's name data.example.org does not resolve" in refused[0]
    assert warned == []
    # A plain CKAN has no object storage.
    assert said(state)[0] == []


GIB = 1024 * 1024


def space(**free: int) -> SurroundingsState:
    """Return a host whose folders are file systems of their own with so much KiB free."""
    kib = {"/": 9 * GIB, **{f"/{name.replace('_', '/')}": size for name, size in free.items()}}
    return SurroundingsState(addresses=MINE, space={path: Space(path, size) for path, size in kib.items()})


def test_too_little_space(said: Any) -> None:
    with_minio = {**ONE, "object_storage": ["data"]}
    refused, _ = said(space(tmp=50_000, var=GIB, srv_minio=GIB, cache=GIB), groups=with_minio, portal_flavour="dcor")
    assert [line.partition(":")[0] for line in refused] == [
        "/cache has room for 1 GB of temporary files, less than dcor_scratch_space = 100",
        "/tmp has 48 MiB free, less than the 100 MiB that temporary files need",
        "/var has 1024 MiB free, less than the 4096 MiB that data and packages (base_minimum_space) need",
        "/srv/minio has 1024 MiB free, less than the 4096 MiB that objects (base_minimum_space) need",
    ]
    assert said(space(tmp=110_000, var=5 * GIB)) == ([], [])
    same = SurroundingsState(space={path: Space("1", 1000) for path in ("/", "/tmp", "/var")})
    assert said(same) == ([], [])  # of / base_minimum_space says how much it needs


def test_too_little_space_for_the_largest_upload(said: Any) -> None:
    """It is in nginx's folder, twice in uWSGI's and CKAN's, and where CKAN stores it: together, on one disk."""
    folders = ("/", "/tmp", "/var", "/var/cache/nginx", "/var/cache/ckan-uploads", "/var/lib/ckan/default")
    one_disk = {path: Space("1", 3000 * 1024) for path in folders}
    assert said(SurroundingsState(space=one_disk)) == (
        [
            "/var/cache/nginx, /var/cache/ckan-uploads, /var/lib/ckan/default are on a disk with 3000 MiB free, but "
            "the largest upload (portal_upload_limit) takes 4096 MiB there on its way: lower portal_upload_limit, or "
            "choose a larger disk (nginx_cache_dir, uwsgi_scratch_path, ckan_storage_path)"
        ],
        [],
    )
    assert said(SurroundingsState(space=one_disk), portal_upload_limit=750) == ([], [])
    apart = {**one_disk, "/srv/big/ckan-uploads": Space("2", 1000 * 1024)}
    refused, _ = said(SurroundingsState(space=apart), uwsgi_scratch_path="/srv/big")
    assert [line.partition(", but")[0] for line in refused] == ["/srv/big/ckan-uploads is on a disk with 1000 MiB free"]


def test_memory_by_flavour(tmp_path: Path) -> None:
    """A DCOR with all services on one host takes 1,850 MiB when it is idle."""
    store = SecretStore(tmp_path / "secrets", generate=True)
    all_in_one = {**ONE, "object_storage": ["data"]}
    assert resolve(sources(ONE), store)["data"].base.minimum_memory == 1800
    assert resolve(sources(all_in_one, {"portal_flavour": "dcor"}), store)["data"].base.minimum_memory == 2700
    lower = {"portal_flavour": "dcor", "base_minimum_memory": 1000}
    assert resolve(sources(all_in_one, lower), store)["data"].base.minimum_memory == 1000
    assert least_memory("dcor", ["solr"]) == least_memory("ckan", ["portal", "solr"]) == 1800
