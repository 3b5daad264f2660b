"""A host that is gone is noticed, and said; on a real host: tests/lab/faults."""

from __future__ import annotations

import logging
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from operations import lock
from pyinfra_adapter import connection


def _client(transport: Any) -> Any:
    return SimpleNamespace(get_transport=lambda: transport)


def test_a_silent_host_is_given_up_after_a_minute() -> None:
    signs: list[int] = []
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as sock:
        transport = SimpleNamespace(sock=sock, set_keepalive=signs.append)
        connection.adjust(_client(transport))
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 60_000
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert signs == [15]


def test_behind_a_jump_host_there_is_no_socket() -> None:
    signs: list[int] = []
    connection.adjust(_client(SimpleNamespace(sock=object(), set_keepalive=signs.append)))
    assert signs == [15]


@pytest.mark.parametrize("alive", [True, False])
def test_a_connection_that_was_lost_is_said(alive: bool, caplog: pytest.LogCaptureFixture) -> None:
    connector = SimpleNamespace(client=_client(SimpleNamespace(is_active=lambda: alive)))
    host = SimpleNamespace(name="portal", connector_data={}, connector=connector)
    with caplog.at_level(logging.ERROR):
        lock._Release.host_disconnect(None, host)  # type: ignore[arg-type]
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == (not alive)
    assert all(message.startswith("the connection to portal is lost: ") for message in said)
