"""What a portal's nginx must do, asked from outside; no CKAN is needed behind it, but one may be.

Each check takes the host's address, the portal's name and a file with the certificate to trust, and fails by
``AssertionError``.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import requests
from urllib3.util import connection

# Mozilla's guideline 6.0, intermediate, for TLS 1.2.
CIPHERS = {
    "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", "ECDHE-RSA-CHACHA20-POLY1305",
}  # fmt: skip
_GROUPS = ("X25519", "P-256", "P-384")


def all_of_tls(address: str, fqdn: str, cafile: str) -> None:
    """Run all checks of TLS and of names."""
    for check in (tls_versions, tls_ciphers, tls_groups, certificate_verifies, unknown_names, redirects, headers):
        check(address, fqdn, cafile)


def tls_versions(address: str, fqdn: str, cafile: str) -> None:
    """TLS 1.2 and 1.3 are spoken, older ones are not: also for names that are not the portal's."""
    versions = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    spoken = [version.name for version in versions if _handshake(address, fqdn, version, version)]
    assert spoken == ["TLSv1_2", "TLSv1_3"], spoken
    assert not any(_handshake(address, "other.example.org", version, version) for version in versions)


def tls_ciphers(address: str, fqdn: str, cafile: str) -> None:
    """With TLS 1.2 nothing but Mozilla's intermediate ciphers is accepted."""
    context = ssl.create_default_context()
    context.set_ciphers("ALL:COMPLEMENTOFALL:@SECLEVEL=0")
    offered = [cipher["name"] for cipher in context.get_ciphers() if cipher["protocol"] != "TLSv1.3"]
    version = ssl.TLSVersion.TLSv1_2
    accepted = {name for name in offered if _handshake(address, fqdn, ssl.TLSVersion.TLSv1, version, name)}
    assert accepted and accepted <= CIPHERS, accepted
    assert len(offered) > len(CIPHERS)


def tls_groups(address: str, fqdn: str, cafile: str) -> None:
    """The key exchange groups are Mozilla's; P-521 is not among them."""
    for group, wanted in (*((group, True) for group in _GROUPS), ("P-521", False)):
        command = ["openssl", "s_client", "-connect", f"{address}:443", "-servername", fqdn, "-groups", group]
        done = subprocess.run(command, input="", capture_output=True, text=True, timeout=120, check=False)
        assert ("Cipher is (NONE)" not in done.stdout) == wanted, (group, done.stdout[-500:], done.stderr)


def certificate_verifies(address: str, fqdn: str, cafile: str) -> None:
    """Python's strictest checks and requests accept the certificate when it alone is trusted, as DCOR's clients do."""
    context = ssl.create_default_context(cafile=cafile)
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    with socket.create_connection((address, 443), 10) as raw, context.wrap_socket(raw, server_hostname=fqdn) as tls:
        assert tls.getpeercert()
    with _resolving(fqdn, address):
        requests.get(f"https://{fqdn}/", verify=cafile, timeout=120, allow_redirects=False)


def unknown_names(address: str, fqdn: str, cafile: str) -> None:
    """Requests for other names and for bare addresses get no answer at all."""
    assert not _handshake(address, "other.example.org")
    assert not _handshake(address, None)
    for port, host in ((80, "other.example.org"), (80, address), (443, "other.example.org")):
        try:
            status: int | None = request(address, fqdn, cafile, "GET", "/", {"Host": host}, port=port)[0]
        except (http.client.RemoteDisconnected, ConnectionResetError):
            status = None
        assert status is None, (port, host, status)


def redirects(address: str, fqdn: str, cafile: str) -> None:
    """Plain HTTP leads to the same page by HTTPS."""
    status, found, _ = request(address, fqdn, cafile, "GET", "/dataset?q=a%20b", port=80)
    assert (status, found["location"]) == (301, f"https://{fqdn}/dataset?q=a%20b"), (status, found)


def headers(address: str, fqdn: str, cafile: str) -> None:
    """Every answer, an error's too, has the headers that protect, and tells no version."""
    for path in ("/", "/no-such-page.php"):
        _, found, _ = request(address, fqdn, cafile, "GET", path)
        assert found["server"] == "nginx", found
        assert found["x-content-type-options"] == "nosniff", found
        assert found["referrer-policy"] == "strict-origin-when-cross-origin", found
        assert found["content-security-policy"] == "frame-ancestors 'self'", found
    _, found, _ = request(address, fqdn, cafile, "GET", "/dataset/a/resource/b/view/c")
    assert "content-security-policy" not in found, found


def upload_limit(address: str, fqdn: str, cafile: str, limit: int) -> None:
    """A request body of two thirds of LIMIT (MiB) comes through, one that is larger than LIMIT is refused."""
    path = "/api/3/action/resource_create"
    status, _, _ = request(address, fqdn, cafile, "POST", path, body=bytes(limit * 2**20 * 2 // 3))
    assert status not in (413, 502, 504), status
    try:
        status, _, _ = request(address, fqdn, cafile, "POST", path, body=bytes(limit * 2**20 + 1))
    except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
        return  # refused before all of it was sent
    assert status == 413, status


def largest_request(address: str, fqdn: str, cafile: str, limit: int) -> None:
    """For a request body of LIMIT (MiB) nginx asks, one that is a byte larger it refuses before any of it is sent."""
    for size, wanted in ((limit * 2**20, 100), (limit * 2**20 + 1, 413)):
        context = ssl.create_default_context(cafile=cafile)
        raw = socket.create_connection((address, 443), 60)
        with context.wrap_socket(raw, server_hostname=fqdn) as tls:
            head = f"POST /api/3/action/resource_create HTTP/1.1\r\nHost: {fqdn}\r\nContent-Length: {size}\r\n"
            tls.sendall(f"{head}Expect: 100-continue\r\n\r\n".encode())
            with tls.makefile("rb") as answer:
                said = answer.readline().decode()
        assert said.startswith(f"HTTP/1.1 {wanted} "), (size, said)


def ckan_is_open(address: str, fqdn: str, cafile: str) -> None:
    """Flavour ckan: nginx itself refuses no method, path or extension."""
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
        for path in ("/dataset/a/resource/b/download/c.zip", "/a.tar.gz", "/a.html", "/user/reset", "/dataset"):
            _assert_from_upstream(*request(address, fqdn, cafile, method, path), path)


def dcor_is_closed(address: str, fqdn: str, cafile: str) -> None:
    """Flavour dcor: paths, methods, extensions and old clients are refused as DCOR's manual has it."""
    dataset = "0123abcd-0123-0123-0123-0123456789ab"
    old, new = {"User-Agent": "DCOR-Aid/0.9.12"}, {"User-Agent": "DCOR-Aid/99.0.0"}
    for method, path, header, wanted in (
        ("GET", "/user/reset", {}, 403),
        ("GET", "/userportal", {}, 403),
        ("GET", "/dataset/a/resource/b/download/c.zip", {}, 404),
        ("GET", "/dataset/a.TAR.GZ", {}, 404),
        ("GET", "/group/a.php7", {}, 404),
        ("GET", "/unknown", {}, 404),
        ("GET", "/users", {}, 404),
        ("GET", "/about%0a", {}, 404),
        ("POST", "/dataset", {}, 403),
        ("POST", "/dataset/groupsx/a", {}, 403),
        ("POST", "/", {}, 403),
        ("DELETE", "/dashboard", {}, 403),
        ("GET", f"/{dataset}", {}, 301),
        ("GET", "/api/3/action/status_show", old, 400),
    ):
        status, found, body = request(address, fqdn, cafile, method, path, header)
        assert status == wanted, (method, path, status, wanted)
        if wanted == 301:
            assert found["location"].endswith(f"/dataset/{dataset}"), found
        # CKAN behind it would answer many of them in the same way.
        page = b"DCOR-Aid before " if wanted == 400 else b"<center>nginx</center>"
        assert page in body, f"{method} {path} was not refused by nginx itself: {body[:200]!r}"
    for method, path, header in (
        ("GET", "/", {}),
        ("GET", "/dataset", {}),
        ("GET", "/robots.txt", {}),
        ("POST", "/dataset/groups/a", {}),
        ("POST", "/api/3/action/package_revise", {}),
        ("POST", "/user/_logout", {}),
        ("GET", "/api/3/action/status_show", new),
    ):
        _assert_from_upstream(*request(address, fqdn, cafile, method, path, header), path)


def request(
    address: str,
    fqdn: str,
    cafile: str,
    method: str,
    path: str,
    header: dict[str, str] | None = None,
    body: bytes | None = None,
    port: int = 443,
) -> tuple[int, dict[str, str], bytes]:
    """Return status, headers in lower case, and body; the handshake is for FQDN whatever the header Host says."""
    client = http.client.HTTPConnection(address, port, timeout=120)
    if port == 443:
        context = ssl.create_default_context(cafile=cafile)
        client.sock = context.wrap_socket(socket.create_connection((address, port), 60), server_hostname=fqdn)
    try:
        client.request(method, path, body, {"Host": fqdn, **(header or {})})
        answer = client.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        client.close()


def _assert_from_upstream(status: int, found: dict[str, str], body: bytes, path: str) -> None:
    """Nginx's own refusals are its short pages; what is behind it may answer 403 or 404, too."""
    assert status not in (400, 413, 502, 504) and b"<center>nginx</center>" not in body, (path, status, body[:200])


def _handshake(
    address: str,
    name: str | None,
    minimum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2,
    maximum: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
    cipher: str = "ALL",
) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = minimum, maximum
    context.set_ciphers(f"{cipher}:@SECLEVEL=0")
    try:
        with socket.create_connection((address, 443), 10) as raw, context.wrap_socket(raw, server_hostname=name):
            return True
    except (ssl.SSLError, ConnectionResetError):
        return False


@contextmanager
def _resolving(fqdn: str, address: str) -> Iterator[None]:
    """Let urllib3 find FQDN at ADDRESS."""
    original = connection.create_connection

    def create(where: tuple[str, int], *arguments: Any, **options: Any) -> socket.socket:
        return original((address if where[0] == fqdn else where[0], where[1]), *arguments, **options)

    with patch.object(connection, "create_connection", create):
        yield
