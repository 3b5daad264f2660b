"""Changing who can open the secrets: all secrets of all environments that share the file are encrypted anew.

Each function returns how many secrets of which environments were.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from settings.secrets import file, recipients
from settings.secrets.errors import SecretsError
from settings.secrets.file import Contents
from settings.secrets.recipients import Recipient
from settings.secrets.sealed import seal
from settings.secrets.vault import Vault


def sharing(vault: Vault) -> list[Vault]:
    """Return the vaults of all environments that have a file of secrets and the recipients of VAULT."""
    names = sorted({path.stem for path in vault.folder.glob("*.toml")} | {vault.environment})
    vaults = [vault if name == vault.environment else _beside(vault, name) for name in names]
    return [other for other in vaults if other.recipients_path == vault.recipients_path]


def _beside(vault: Vault, environment: str) -> Vault:
    """Return the vault of another ENVIRONMENT, whose inventory most likely stands beside that of VAULT."""
    given = Path(vault.inventory)
    inventory = str(given.with_name(f"{environment}.py")) if given.suffix == ".py" else ""
    return Vault(vault.folder, environment, vault.identities, inventory)


def add(vault: Vault, key: str) -> tuple[Recipient, dict[str, int]]:
    """Add KEY, a line as in the file, or the path of such a file (``id_ed25519.pub``)."""
    recipient = recipients.parse(_line(key))
    with file.locked(vault.folder):
        known = recipients.read(vault.recipients_path)
        if any(other.key == recipient.key for other in known):
            raise SecretsError(f"that key is in {vault.recipients_path} already; nothing was changed")
        text = recipients.added(_text(vault.recipients_path), recipient)
        return recipient, _change(vault, [*known, recipient], text)


def remove(vault: Vault, which: str) -> tuple[Recipient, dict[str, int]]:
    """Remove the recipient whose comment, or key, is WHICH."""
    with file.locked(vault.folder):
        known = recipients.read(vault.recipients_path)
        found = [recipient for recipient in known if which in (recipient.comment, recipient.key, recipient.line)]
        if len(found) != 1:
            count = f"{len(found)} recipients are" if found else "no recipient is"
            names = ", ".join(recipient.comment for recipient in known) or "none"
            raise SecretsError(f"{count} {which!r} in {vault.recipients_path}; there are {names}; nothing was changed")
        if len(known) == 1:
            raise SecretsError(f"{which} is the last recipient: nobody could open the secrets; nothing was changed")
        kept = [recipient for recipient in known if recipient is not found[0]]
        return found[0], _change(vault, kept, recipients.removed(_text(vault.recipients_path), found[0]))


def sync(vault: Vault) -> dict[str, int]:
    """Encrypt all for those in the file of recipients, after it was changed by hand or a change was cut short."""
    with file.locked(vault.folder):
        return _change(vault, vault.recipients(), None)


def _change(vault: Vault, readers: Sequence[Recipient], text: str | None) -> dict[str, int]:
    """Write everything anew; whatever can go wrong with secrets and keys does so before the first file is written.

    The recipients come first: when this is killed in between, the files do not agree, which is noticed, and ``sync``
    completes it.
    """
    keys = tuple(recipient.key for recipient in readers)
    anew = {}
    for other in sharing(vault):
        sealed = {place: seal(place, other.environment, value, readers) for place, value in other.open_all().items()}
        if sealed:
            anew[other] = Contents(other.environment, keys, sealed)
    if text is not None:
        file.write(vault.recipients_path, text)
    for other, contents in anew.items():
        file.write(other.path, file.text_of(contents))
    return {other.environment: len(contents.sealed) for other, contents in anew.items()}


def _line(key: str) -> str:
    """Return the one line that KEY is, or that the file of that name holds."""
    if " " not in key and not key.startswith(("age1", "AGE-SECRET-KEY-")):
        path = Path(key).expanduser()
        try:
            key = path.read_text()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", "it is no text")
            raise SecretsError(f"the public key {path} cannot be read: {reason}; nothing was changed") from None
    if recipients.is_private(key):
        raise SecretsError(
            "this is a private key, which nobody else may have; give the public one; nothing was changed"
        )
    lines = [line for line in key.splitlines() if line.strip()]
    if len(lines) != 1:
        raise SecretsError(f"{len(lines)} lines are there instead of one public key; nothing was changed")
    return lines[0].strip()


def _text(path: Path) -> str:
    return path.read_text() if path.exists() else ""
