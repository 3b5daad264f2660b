"""One secret, sealed: what age encrypts is the value with its name, its environment and its host.

So a sealed secret that was copied to another place, or swapped with another, is noticed when it is opened. The
standard tool shows the same text: ``age --decrypt -i ~/.ssh/id_ed25519``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyrage

from settings.secret import Secret
from settings.secrets.errors import NotARecipient, SecretsError
from settings.secrets.recipients import Recipient

_TITLE = "ckan-deploy secret 1"
_BEGIN, _END = "-----BEGIN AGE ENCRYPTED FILE-----\n", "-----END AGE ENCRYPTED FILE-----\n"


@dataclass(frozen=True, order=True)
class Place:
    """Where a secret stands: its name, and the host that it is for ("": all of the environment)."""

    name: str
    host: str = ""

    def __str__(self) -> str:
        return f"{self.name} of host {self.host}" if self.host else self.name


def seal(place: Place, environment: str, value: Secret, recipients: Sequence[Recipient]) -> str:
    """Return VALUE encrypted for RECIPIENTS, as text of several lines."""
    lines = [
        _TITLE,
        f"name: {place.name}",
        f"environment: {environment}",
        *([f"host: {place.host}"] * bool(place.host)),
    ]
    text = "\n".join([*lines, "", value.unmask(), ""])
    sealed: bytes = pyrage.encrypt(text.encode(), [recipient.age for recipient in recipients], armored=True)
    return sealed.decode()


def is_sealed(text: object) -> bool:
    """Whether TEXT looks like something that ``seal`` made, whole."""
    return isinstance(text, str) and text.startswith(_BEGIN) and text.endswith(_END)


def unseal(text: str, place: Place, environment: str, identities: Sequence[object]) -> Secret:
    """Return the secret in TEXT.

    Raises ``NotARecipient`` when none of IDENTITIES is one of its recipients, and ``SecretsError`` (what is wrong,
    beginning with a verb) when it is damaged or was sealed for another place.
    """
    lines, value = _open(text, identities)
    if lines[0] != _TITLE:
        raise SecretsError("was not made by this program, or was by a newer one")
    said = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    here = {"name": place.name, "environment": environment} | ({"host": place.host} if place.host else {})
    if said != here:
        other = Place(said.get("name", "?"), said.get("host", ""))
        raise SecretsError(f"holds another one ({other}, environment {said.get('environment', '?')}): it was put there")
    return value


def _open(text: str, identities: Sequence[object]) -> tuple[list[str], Secret]:
    """Return the lines of the head, and the value; nothing of it stays in a frame that a traceback could show."""
    try:
        plain = pyrage.decrypt(text.encode(), identities).decode()
    except pyrage.DecryptError as error:
        known = "No matching keys" in str(error)
        raise (NotARecipient("is not encrypted for your key") if known else SecretsError("is damaged")) from None
    except UnicodeDecodeError:
        raise SecretsError("was not made by this program") from None
    head, _, value = plain.partition("\n\n")
    return head.splitlines() or [""], Secret(value.removesuffix("\n"))
