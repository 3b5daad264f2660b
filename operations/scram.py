"""SCRAM-SHA-256 verifiers as PostgreSQL keeps them (RFC 5802, RFC 7677). Pure functions."""

from __future__ import annotations

import base64
import hashlib
import hmac

ITERATIONS = 4096  # PostgreSQL's default, and the least that RFC 7677 allows


def verifier(password: str, salt: bytes, iterations: int = ITERATIONS) -> str:
    """Return what ``pg_authid.rolpassword`` holds for PASSWORD.

    + password: printable ASCII, which SASLprep leaves as it is
    + salt: 16 random bytes, or those of the verifier to compare with
    + iterations: rounds of PBKDF2

    Raises ``ValueError``, which does not name the password, when it is empty or not printable ASCII.
    """
    if not password or not all(" " <= character <= "~" for character in password):
        raise ValueError("a PostgreSQL password must be of printable ASCII characters, and not empty")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${iterations}:{_text(salt)}${_text(stored)}:{_text(server)}"


def digest(password: str, salt: str, iterations: int) -> str:
    """Return the SHA-256, in hexadecimal, of the verifier of PASSWORD with this SALT (base64) and ITERATIONS.

    Hosts tell this instead of the verifier, whose keys let one pose as the server.

    Raises ``ValueError`` as ``verifier`` does, and for a SALT that is not base64.
    """
    return hashlib.sha256(verifier(password, base64.b64decode(salt), iterations).encode()).hexdigest()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
