"""The secrets of one environment, opened and changed one by one."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from settings.invocation import program
from settings.secret import Secret
from settings.secrets import file, recipients
from settings.secrets.errors import NotARecipient, SecretsError
from settings.secrets.file import Contents
from settings.secrets.form import spec_of, wrong_value
from settings.secrets.identity import Identities
from settings.secrets.recipients import Recipient
from settings.secrets.sealed import Place, is_sealed, seal, unseal


class Vault:
    """The store's file of one environment, and who can open it.

    + folder: holds ``ENVIRONMENT.toml`` and ``recipients``
    + inventory: what its commands are told, for sentences
    + identities: the operator's keys
    """

    def __init__(
        self, folder: Path, environment: str, identities: Identities | None = None, inventory: str = ""
    ) -> None:
        self.folder = folder
        self.environment = environment
        self.identities = identities or Identities()
        self.inventory = inventory or f"inventory/{environment}.py"

    @property
    def path(self) -> Path:
        """The file of secrets."""
        return self.folder / f"{self.environment}.toml"

    @property
    def recipients_path(self) -> Path:
        """The file of those who can open it."""
        return recipients.path_for(self.folder, self.environment)

    def command(self, words: str, source: str = "") -> str:
        """Return the command line that the operator types for WORDS, ``set NAME``.

        + source: the file that it reads
        """
        verb, _, rest = words.partition(" ")
        ends = f"{rest and ' ' + rest}{source and ' < ' + source}"
        return f"`{program('python')} -m settings.secrets {verb} {shlex.quote(self.inventory)}{ends}`"

    def contents(self) -> Contents:
        """Return what the file holds now."""
        return file.load(self.path, self.environment)

    def recipients(self) -> list[Recipient]:
        """Return those who can open what is sealed from now on. Raises ``SecretsError`` when there is nobody."""
        if found := recipients.read(self.recipients_path):
            return found
        add = self.command("recipients add ~/.ssh/id_ed25519.pub")
        raise SecretsError(f"nobody could open the secrets: {self.recipients_path} has no recipient; {add} adds you")

    def open(self, place: Place, contents: Contents | None = None) -> Secret:
        """Return the secret in PLACE, which must be there. Raises ``SecretsError``."""
        contents = contents or self.contents()
        if place not in contents.sealed:
            raise SecretsError(f"the secret {place} is not in {self.path}; {self.command('list')} shows what is")
        text = contents.sealed[place]
        restore = "take it back from git, or set it anew"
        if not is_sealed(text):
            raise SecretsError(f"the secret {place} in {self.path} is damaged: it is cut short; {restore}")
        try:
            identities = self.identities.opening(contents.recipients)
        except NotARecipient as error:
            add = self.command("recipients add YOUR-KEY.pub")
            raise SecretsError(f"{self.path} cannot be opened: {error}; somebody who is runs {add}") from None
        try:
            value = unseal(text, place, self.environment, identities)
            if wrong := wrong_value(value.unmask(), multiline=spec_of(place.name).multiline):
                raise SecretsError(f"holds a value that cannot be used: {wrong}")
            return value
        except NotARecipient:
            sync = self.command("recipients sync")
            raise SecretsError(
                f"the secret {place} in {self.path} is not encrypted for your key, or damaged; "
                f"somebody whose key opens it runs {sync}"
            ) from None
        except SecretsError as error:
            raise SecretsError(f"the secret {place} in {self.path} {error}; {restore}") from None

    def open_all(self) -> dict[Place, Secret]:
        """Return all secrets."""
        contents = self.contents()
        return {place: self.open(place, contents) for place in contents.sealed}

    def change(self, decide: Callable[[Contents], Mapping[Place, Secret]], gone: Iterable[Place] = ()) -> list[Place]:
        """Seal what DECIDE returns, which sees the contents under the lock; return the places in order.

        + gone: places that are removed
        """
        with file.locked(self.folder):
            contents, readers = self.contents(), self.ready()
            values, gone = decide(contents), tuple(gone)
            if values or gone:
                sealed = {place: seal(place, self.environment, value, readers) for place, value in values.items()}
                changed = contents.with_sealed(sealed, gone)
                keys = tuple(recipient.key for recipient in readers)
                file.write(self.path, file.text_of(Contents(self.environment, keys, changed.sealed)))
            return sorted(values)

    def set(self, values: Mapping[Place, Secret]) -> None:
        """Seal VALUES; all other entries stay as they are."""
        self.change(lambda contents: values)

    def in_step(self) -> bool:
        """Whether what is sealed is sealed for the recipients of now."""
        contents = self.contents()
        now = recipients.read(self.recipients_path)
        return not contents.sealed or set(contents.recipients) == {recipient.key for recipient in now}

    def ready(self) -> list[Recipient]:
        """Return those to seal for. Raises ``SecretsError`` for nobody, and when what is there is sealed for others."""
        readers = self.recipients()
        if not self.in_step():
            raise SecretsError(
                f"{self.recipients_path} and {self.path} do not agree on who can open the secrets; "
                f"{self.command('recipients sync')} encrypts all for those in the former"
            )
        return readers
