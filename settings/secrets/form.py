"""What a secret's value must look like, and how it is taken from what a person or another program gave."""

from __future__ import annotations

import unicodedata

from settings.component import SecretSpec
from settings.host import secrets_declared
from settings.secret import Secret

_CONTROLS = ("Cc", "Cf", "Cs", "Zl", "Zp")


def spec_of(name: str) -> SecretSpec:
    """Return what the schema says of the secret NAME; of one that no component declares: a long one may be made."""
    return secrets_declared().get(name) or SecretSpec(name, rotation="Nothing needs it.")


def taken(name: str, text: str) -> Secret:
    """Return the value of the secret NAME that was given as TEXT: without the line break that ends it.

    One of several lines has no line breaks at its ends, and those of Unix between its lines.
    """
    if spec_of(name).multiline:
        return Secret(text.replace("\r\n", "\n").strip("\n"))
    return Secret(text.removesuffix("\n").removesuffix("\r"))


def wrong(name: str, value: Secret) -> str:
    """Say what is wrong with VALUE as the secret NAME; "" when nothing is."""
    return wrong_value(value.unmask(), multiline=spec_of(name).multiline) or spec_of(name).wrong(value.unmask())


def wrong_value(value: str, *, multiline: bool = False) -> str:
    """Say what is wrong with VALUE as any secret; "" when nothing is.

    + multiline: it may have several lines
    """
    if not value.strip():
        return "it is empty"
    lines = value.split("\n") if multiline else [value]
    if any(_breaks(line) for line in lines):
        shape = "it must be lines of text" if multiline else "it must be one line"
        return f"{shape}, without control characters or invisible ones"
    if value != value.strip():
        return "it begins or ends with a blank, which configuration files would lose"
    return ""


def _breaks(line: str) -> bool:
    return len(line.splitlines()) > 1 or any(unicodedata.category(character) in _CONTROLS for character in line)
