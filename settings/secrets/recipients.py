"""Who can open the secrets of an environment: the public keys in ``inventory/secrets/recipients``.

One a line, as in authorized_keys: an SSH key (ed25519 or RSA) or an age key, then a comment that says whose it is.
An environment with operators of its own has a file ``recipients.ENVIRONMENT``, which is used instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pyrage

from settings.secrets.errors import SecretsError

FILE = "recipients"
_SSH = ("ssh-ed25519", "ssh-rsa")
_OTHER = re.compile(r"(sk-)?(ssh|ecdsa)-\S+")
_PRIVATE = re.compile(r"-----BEGIN|AGE-SECRET-KEY-")


@dataclass(frozen=True)
class Recipient:
    """One public key.

    + key: as age takes it, without the comment
    + comment: whose it is
    """

    key: str
    comment: str

    @property
    def line(self) -> str:
        """Its line in the file."""
        return f"{self.key} {self.comment}"

    @property
    def age(self) -> pyrage.ssh.Recipient | pyrage.x25519.Recipient:
        """What pyrage encrypts for."""
        kind = pyrage.ssh.Recipient if self.key.startswith("ssh-") else pyrage.x25519.Recipient
        return kind.from_str(self.key)


def path_for(folder: Path, environment: str) -> Path:
    """Return the file of those who can open ENVIRONMENT, in the store's FOLDER."""
    own = folder / f"{FILE}.{environment}"
    return own if own.exists() else folder / FILE


def is_private(text: str) -> bool:
    """Whether TEXT is, or holds, a private key."""
    return _PRIVATE.search(text) is not None


def parse(line: str) -> Recipient:
    """Return the recipient in LINE; raise ``SecretsError`` for what is none."""
    words = line.split()
    if is_private(line):
        raise SecretsError("this is a private key, and now it stands in a file of the repository: replace that key")
    count = 2 if words and words[0] in _SSH else 1
    key, comment = " ".join(words[:count]), " ".join(words[count:])
    found = Recipient(key, comment)
    if _OTHER.fullmatch(words[0]) and words[0] not in _SSH:
        raise SecretsError(f"age cannot encrypt for a key of the kind {words[0]}; it takes ed25519, RSA and age keys")
    try:
        found.age  # noqa: B018
    except pyrage.RecipientError:
        raise SecretsError("this is no public key; write `ssh-ed25519 AAAA… alice` or `age1… alice`") from None
    if not comment:
        raise SecretsError("the key has no comment; write whose it is behind it")
    return found


def read(path: Path) -> list[Recipient]:
    """Return the recipients in the file PATH, none if there is no such file.

    Raises ``SecretsError`` for a wrong line or a key that stands there twice.
    """
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        raise SecretsError(f"{path} cannot be read: {getattr(error, 'strerror', 'it is no text')}") from None
    found: dict[str, Recipient] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            recipient = parse(line)
        except SecretsError as error:
            raise SecretsError(f"{path}, line {number}: {error}") from None
        if recipient.key in found:
            earlier = found[recipient.key].comment
            raise SecretsError(f"{path}, line {number}: the key of {recipient.comment} is there already ({earlier})")
        found[recipient.key] = recipient
    return list(found.values())


def added(text: str, recipient: Recipient) -> str:
    """Return the file's TEXT with one line more."""
    return f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{recipient.line}\n"


def removed(text: str, recipient: Recipient) -> str:
    """Return the file's TEXT without the line of RECIPIENT."""
    kept = [line for line in text.splitlines(keepends=True) if not _is_of(line, recipient)]
    return "".join(kept)


def _is_of(line: str, recipient: Recipient) -> bool:
    words = line.split()
    return words[: len(recipient.key.split())] == recipient.key.split()
