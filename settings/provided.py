"""A certificate that somebody issued: its chain in a file on this machine, its key in the secret store.

The portal's (``settings/tls.py``) and MinIO's on a host of its own (``settings/minio.py``) are such.
"""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from settings import chain
from settings.component import secret
from settings.secret import Secret

# In the key's place where no secret is opened.
KEY_STAND_IN = "-----BEGIN PRIVATE KEY-----\nMAAA\n-----END PRIVATE KEY-----"


def key(description: str, *, rotation: str) -> Any:
    """Declare the secret that is the key of such a certificate.

    + rotation: what the next run does with another one and its chain, and what people notice of it
    """
    return secret(
        description,
        generated=False,
        multiline=True,
        stand_in=KEY_STAND_IN,
        pattern=r"-----BEGIN ([A-Z0-9]+ )?PRIVATE KEY-----\n([A-Za-z0-9+/=]+\n)+-----END ([A-Z0-9]+ )?PRIVATE KEY-----",
        allowed="the form of a PEM private key without a password, whole: give it with `< FILE`, since it has many "
        "lines; `openssl pkey -in FILE` makes one of other forms",
        rotation=rotation,
    )


@cache  # what is installed is what was checked
def read(path: str) -> str:
    """Return the text of the PEM file PATH on this machine. Raises ``ValueError`` with one sentence."""
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}; check the path, which starts here") from error
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no PEM file; convert it with `openssl x509`") from error


def chain_text(path: str) -> str:
    """Return the text of the chain in the file PATH as it is installed; empty for no file."""
    return f"{read(path).rstrip()}\n" if path else ""


def cannot_be_served(certificate: str, names: tuple[str, ...]) -> str:
    """Say why the chain in the file CERTIFICATE cannot be served under NAMES; empty when it can.

    Whether the key is its own is asked when that is opened: ``wrong_key``.
    """
    try:
        chain.check(read(certificate), names, datetime.now(UTC), chain.trusted_roots(), certificate)
    except ValueError as error:
        return str(error)
    return ""


def wrong_key(certificate: str, value: Secret | None, name: str) -> str:
    """Say why the secret NAME cannot be used with the chain in the file CERTIFICATE.

    Empty when it can, and where one of the two is not known here.
    """
    if not certificate or value is None or value.unmask() == KEY_STAND_IN:
        return ""
    try:
        chain.belong_together(chain_text(certificate), value.unmask(), (certificate, f"the secret {name}"))
    except ValueError as error:
        return str(error)
    return ""
