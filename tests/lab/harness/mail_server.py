"""A mail server that keeps what it is sent: STARTTLS, a login, and nothing else; for a host's mail to go somewhere."""

from __future__ import annotations

import base64
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from socketserver import StreamRequestHandler, ThreadingTCPServer
from typing import Any


@dataclass
class Received:
    """What came: logins as (encrypted, user, password), and mails as (sender, receivers, text)."""

    logins: list[tuple[bool, str, str]] = field(default_factory=list)
    mails: list[tuple[str, list[str], str]] = field(default_factory=list)


class _Server(ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    tls: ssl.SSLContext
    received: Received


class _Session(StreamRequestHandler):
    server: _Server
    timeout = 30

    def _say(self, line: str) -> None:
        self.wfile.write(f"{line}\r\n".encode())

    def handle(self) -> None:
        encrypted, user, sender, receivers = False, "", "", list[str]()
        self._say("220 sink")
        while line := self.rfile.readline().decode().strip():
            verb = line.upper().split()[0]
            if verb == "EHLO":
                self._say("250-sink")
                self._say("250 AUTH PLAIN" if encrypted else "250 STARTTLS")
            elif verb == "STARTTLS":
                self._say("220 go on")
                self.request = self.server.tls.wrap_socket(self.request, server_side=True)
                self.rfile, self.wfile, encrypted = self.request.makefile("rb"), self.request.makefile("wb", 0), True
            elif verb == "AUTH":
                _, user, password = base64.b64decode(line.split()[2]).decode().split("\0")
                self.server.received.logins.append((encrypted, user, password))
                self._say("235 welcome")
            elif verb == "MAIL" and user:
                sender, receivers = _address(line), []
                self._say("250 ok")
            elif verb == "RCPT" and user:
                receivers.append(_address(line))
                self._say("250 ok")
            elif verb == "DATA" and receivers:
                self._say("354 go on")
                text = "".join(iter(lambda: self.rfile.readline().decode().replace("\r\n", "\n"), ".\n"))
                self.server.received.mails.append((sender, receivers, text))
                self._say("250 ok")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("503 not now")


def _address(line: str) -> str:
    return line.partition("<")[2].partition(">")[0]


@contextmanager
def sink(address: str, certificate: str, key: str) -> Iterator[tuple[int, Received]]:
    """Listen on a free port of ADDRESS with this certificate; yields the port, and what comes."""
    context: Any = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with _Server((address, 0), _Session) as server:
        server.tls, server.received = context, Received()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1], server.received
        finally:
            server.shutdown()
