"""A private key in a file: of SSH (ed25519 or RSA, with a passphrase or without), or of age."""

from __future__ import annotations

import base64
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from settings.secrets.errors import SecretsError

_OPENSSH = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----(.*?)-----END OPENSSH PRIVATE KEY-----", re.DOTALL)
_AGE = re.compile(r"AGE-SECRET-KEY-1\S+")
_PUBLIC = re.compile(rb"(ssh|ecdsa|sk)-\S+ |age1")


class WrongPassphrase(SecretsError):
    """The passphrase does not open the key."""


@dataclass(frozen=True)
class KeyFile:
    """A private key that may still be locked.

    + publics: its public keys as recipients have them; empty when a locked key does not tell
    + locked: it needs a passphrase
    """

    path: Path
    publics: tuple[str, ...]
    locked: bool

    def open(self, passphrase: str = "") -> list[Any]:
        """Return age's identities. Raises ``WrongPassphrase``, and ``SecretsError`` for a key that age cannot use."""
        data = _bytes(self.path)
        if not self.locked:
            return _identities(self.path, data)
        load = load_ssh_private_key if _OPENSSH.search(data) else load_pem_private_key
        try:
            key = load(data, passphrase.encode())
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise WrongPassphrase(f"the passphrase of {self.path} is wrong") from None
        # In memory only: pyrage takes no passphrase.
        opened = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        return _identities(self.path, opened)


def read(path: Path) -> KeyFile:
    """Return the key in the file PATH, unopened.

    Raises ``SecretsError`` when it cannot be read, is readable by others, or is no private key.
    """
    data = _bytes(path)
    if _PUBLIC.match(data):
        raise SecretsError(
            f"{path} is a public key, and only the private one decrypts (an SSH agent cannot): name that file"
        )
    if path.stat().st_mode & 0o077:
        raise SecretsError(f"the key {path} is accessible to others: chmod 600 {path}")
    if found := _AGE.findall(data.decode(errors="replace")):
        identities = _identities(path, data)
        assert len(identities) == len(found)
        return KeyFile(path, tuple(str(identity.to_public()) for identity in identities), locked=False)
    if match := _OPENSSH.search(data):
        return KeyFile(path, *_openssh(path, match[1]))
    if b"PRIVATE KEY-----" in data:
        return _pem(path, data)
    what = "is itself encrypted by age, which is not supported" if b"BEGIN AGE" in data else "is no private key"
    raise SecretsError(f"{path} {what}: name an SSH key (ed25519, RSA) or an age key")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise SecretsError(f"the key {path} cannot be read: {error.strerror}") from None


def _identities(path: Path, data: bytes) -> list[Any]:
    """Return age's identities in the unlocked key file's DATA."""
    try:
        if lines := _AGE.findall(data.decode(errors="replace")):
            return [pyrage.x25519.Identity.from_str(line) for line in lines]
        return [pyrage.ssh.Identity.from_buffer(data)]
    except pyrage.IdentityError:
        raise SecretsError(f"{path} is damaged, or of a kind that age cannot use; it takes ed25519, RSA and age keys")\
            from None  # fmt: skip


def _openssh(path: Path, text: bytes) -> tuple[tuple[str, ...], bool]:
    """Return the public key, which stands before the locked part, and whether that is locked."""
    try:
        data = base64.b64decode(text)
        if not data.startswith(b"openssh-key-v1\0"):
            raise ValueError
        cipher, rest = _string(data[15:])
        _, rest = _string(rest)
        _, rest = _string(rest)
        public, _ = _string(rest[4:])
        kind = _string(public)[0].decode()
    except (ValueError, struct.error):
        raise SecretsError(f"the key {path} is damaged") from None
    if kind not in ("ssh-ed25519", "ssh-rsa"):
        raise SecretsError(f"age cannot use {path}, a key of the kind {kind}; it takes ed25519, RSA and age keys")
    return (f"{kind} {base64.b64encode(public).decode()}",), cipher != b"none"


def _string(data: bytes) -> tuple[bytes, bytes]:
    """Return the first string of SSH's wire format in DATA, and what follows."""
    (length,) = struct.unpack(">I", data[:4])
    if len(data) < 4 + length:
        raise ValueError
    return data[4 : 4 + length], data[4 + length :]


def _pem(path: Path, data: bytes) -> KeyFile:
    """Return the key of the older form; a locked one does not tell its public key."""
    try:
        key = load_pem_private_key(data, None)
    except TypeError:
        return KeyFile(path, (), locked=True)
    except (ValueError, UnsupportedAlgorithm):
        raise SecretsError(f"the key {path} is damaged") from None
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    return KeyFile(path, (public,), locked=False)
