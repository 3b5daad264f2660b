"""The file of an environment's secrets: TOML, each value sealed by itself, written whole or not at all.

format = 1
environment = "production"
recipients = ["ssh-ed25519 AAAA…"]     # whose keys open the values below

[secrets]
postgresql_password = "-----BEGIN AGE ENCRYPTED FILE----- …"

[host.data]                            # of one host; it wins over the common one
redis_password = "…"
"""

from __future__ import annotations

import fcntl
import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomli_w

from settings.secrets.errors import SecretsError
from settings.secrets.sealed import Place

FORMAT = 1
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_HEAD = """\
# Secrets of the environment {environment}, each encrypted with age; changed by `python -m settings.secrets` only.
# docs/secrets.md says how.
"""


@dataclass(frozen=True)
class Contents:
    """What stands in the file.

    + environment: whose secrets these are
    + recipients: public keys that the values are encrypted for
    + sealed: the encrypted values by their places
    """

    environment: str
    recipients: tuple[str, ...]
    sealed: dict[Place, str]

    def with_sealed(self, changed: dict[Place, str], gone: tuple[Place, ...] = ()) -> Contents:
        """Return the contents with CHANGED values, and without those that are GONE."""
        kept = {place: text for place, text in self.sealed.items() if place not in gone}
        return replace(self, sealed=kept | changed)


def load(path: Path, environment: str) -> Contents:
    """Return the contents of the file PATH; without such a file nothing is in it.

    Raises ``SecretsError`` when it cannot be read, is no such file, of another environment, or of a newer format.
    """
    try:
        text = path.read_bytes().decode()
        data = tomllib.loads(text)
    except FileNotFoundError:
        return Contents(environment, (), {})
    except OSError as error:
        raise SecretsError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SecretsError(f"{path} is damaged: it is no text; take it back from git") from None
    except tomllib.TOMLDecodeError as error:
        marks = "it has the marks of a merge conflict" if "<<<<<<<" in text else f"it is no TOML ({error})"
        raise SecretsError(f"{path} is damaged: {marks}; take one side whole from git") from None
    return _checked(path, environment, data)


def _checked(path: Path, environment: str, data: dict[str, Any]) -> Contents:
    form = data.pop("format", None)
    if isinstance(form, int) and form > FORMAT:
        raise SecretsError(f"{path} has the format {form}; this checkout knows up to {FORMAT}: update the checkout")
    if form != FORMAT:
        raise SecretsError(f"{path} is no file of secrets: it does not say `format = {FORMAT}`")
    if (of := data.pop("environment", None)) != environment:
        raise SecretsError(f"{path} has the secrets of the environment {of}, not of {environment}: it was put there")
    recipients, common, hosts = data.pop("recipients", []), data.pop("secrets", {}), data.pop("host", {})
    tables: list[tuple[str, Any]] = [("", common), *hosts.items()] if isinstance(hosts, dict) else [("", None)]
    if data or not isinstance(recipients, list) or not all(isinstance(table, dict) for _, table in tables):
        unknown = f"it has the unknown {', '.join(sorted(data))}" if data else "a table is none"
        raise SecretsError(f"{path} is damaged: {unknown}; take it back from git")
    sealed = {Place(name, host): value for host, table in tables for name, value in table.items()}
    for place, value in sealed.items():
        if not _NAME.fullmatch(place.name) or not place.host.isprintable() or not isinstance(value, str):
            raise SecretsError(f"{path} is damaged: {place} is no secret; take it back from git")
    return Contents(environment, tuple(map(str, recipients)), sealed)


def text_of(contents: Contents) -> str:
    """Return CONTENTS as the file's text: always in the same order, so that a difference shows what was changed."""
    tables: dict[str, dict[str, str]] = {}
    for place in sorted(contents.sealed):
        tables.setdefault(place.host, {})[place.name] = contents.sealed[place]
    common = tables.pop("", {})
    data: dict[str, Any] = {
        "format": FORMAT, "environment": contents.environment, "recipients": sorted(contents.recipients),
        "secrets": common, **({"host": dict(sorted(tables.items()))} if tables else {}),
    }  # fmt: skip
    return _HEAD.format(environment=contents.environment) + tomli_w.dumps(data, multiline_strings=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the lock on all files of FOLDER, which is made when it is missing; waits for others that hold it."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise SecretsError(f"{folder} cannot be written to: {error.strerror}") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # with pyinfra loaded os.close is gevent's, which closes some time later
        os.close(descriptor)


def write(path: Path, text: str, mode: int = 0o644) -> None:
    """Have TEXT in the file PATH: the old text or the new one, whatever happens. Needs the lock on its folder.

    + mode: of a new file; an old one keeps its own
    """
    path = path.resolve()  # a link stays one
    new = path.with_name(f".{path.name}.new")  # one name: what a killed writer left is overwritten
    with suppress(FileNotFoundError):
        mode = path.stat().st_mode & 0o777
    try:
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        new.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise SecretsError(f"{path} cannot be written: {error.strerror}") from None
