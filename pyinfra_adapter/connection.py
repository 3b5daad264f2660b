"""The connection to a host, where pyinfra leaves it slower than it need be, or would wait forever."""

from __future__ import annotations

import socket
from typing import Any

_ALIVE = 15  # seconds between two signs of life, without which a host that lost its power would be waited for forever
_SILENT = 60  # seconds after which a host that acknowledges nothing is gone; by itself the kernel waits for 15 minutes


def adjust(client: Any) -> None:
    """Have the connection of a SSH CLIENT send small packets at once, and notice when the host is gone.

    paramiko leaves TCP_NODELAY off: each command then waits some 40 ms for an acknowledgement that the other side
    delays.
    """
    transport = client.get_transport()
    transport.set_keepalive(_ALIVE)
    if not isinstance(transport.sock, socket.socket):
        return  # behind a jump host: a channel of the connection to that one
    transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux has it
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _SILENT * 1000)
