"""The operator's private keys, opened when the first secret is needed, and once per process."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from settings.secrets import keyfile, terminal
from settings.secrets.errors import NotARecipient, SecretsError
from settings.secrets.keyfile import KeyFile

VARIABLE = "CKAN_DEPLOY_IDENTITY"
ATTEMPTS = 3
_opened: dict[Path, list[Any]] = {}


def default_paths() -> list[Path]:
    """Return where keys are looked for when none is named."""
    configuration = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    ssh = Path.home() / ".ssh"
    return [ssh / "id_ed25519", ssh / "id_rsa", configuration / "ckan-deploy" / "age-key.txt"]


class Identities:
    """The keys to open secrets with.

    + path: of the one key to use; by default what ``CKAN_DEPLOY_IDENTITY`` names, else the default places
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path

    def opening(self, recipients: Sequence[str]) -> list[Any]:
        """Return age's identities of those keys that are among RECIPIENTS, public keys.

        A passphrase is asked for only when it helps. Raises ``NotARecipient`` when there is no such key, and
        ``SecretsError`` when the key cannot be used or its passphrase is not given.
        """
        named = self.path or (Path(os.environ[VARIABLE]).expanduser() if os.environ.get(VARIABLE) else None)
        if named:
            keys, unusable = [keyfile.read(named)], list[SecretsError]()
        else:
            keys, unusable = _default_keys()
        fitting = [key for key in keys if set(key.publics) & set(recipients)] or [
            key for key in keys if not key.publics
        ]
        if fitting:
            return _open(min(fitting, key=lambda key: key.locked))
        if unusable:
            raise unusable[0]
        if not keys:
            raise SecretsError(_no_key())
        raise NotARecipient(f"your key {' or '.join(str(key.path) for key in keys)} is no recipient")


def _default_keys() -> tuple[list[KeyFile], list[SecretsError]]:
    """Return the keys in the default places, and what is wrong with others: one that fits is enough."""
    keys, unusable = [], []
    for path in default_paths():
        if path.exists():
            try:
                keys.append(keyfile.read(path))
            except SecretsError as error:
                unusable.append(error)
    return keys, unusable


def _open(key: KeyFile) -> list[Any]:
    path = key.path.resolve()
    if path not in _opened:
        _opened[path] = _ask(key) if key.locked else key.open()
    return _opened[path]


def _ask(key: KeyFile) -> list[Any]:
    """Open a locked key with its passphrase, which is asked for at most ``ATTEMPTS`` times."""
    if not terminal.there():
        raise SecretsError(
            f"the key {key.path} has a passphrase, and there is no terminal to ask for it on; "
            f"name a key without one with {VARIABLE}{_agent()}"
        )
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return key.open(terminal.hidden(f"Passphrase of {key.path}").unmask())
        except keyfile.WrongPassphrase as error:
            if attempt < ATTEMPTS:
                terminal.say(f"{error}; once more")
    raise SecretsError(f"the passphrase of {key.path} was wrong {ATTEMPTS} times, or the file is damaged")


def _no_key() -> str:
    places = ", ".join(map(str, default_paths()))
    return f"no private key is there to open the secrets with: none of {places}; name one with {VARIABLE}{_agent()}"


def _agent() -> str:
    found = os.environ.get("SSH_AUTH_SOCK")
    return "; an SSH agent was found, but an agent can only sign, not decrypt" if found else ""
