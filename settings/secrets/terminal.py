"""What is asked of the person at the terminal; standard output stays free for what programs read."""

from __future__ import annotations

import sys
from getpass import getpass

from settings.secret import Secret
from settings.secrets.errors import SecretsError
from settings.secrets.sealed import wrong_value


def there() -> bool:
    """Whether somebody can be asked: standard input is a terminal."""
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # there is no standard input
        return False


def say(text: str) -> None:
    """Print a line for the person."""
    print(text, file=sys.stderr)


def hidden(prompt: str) -> Secret:
    """Ask for a line that is not shown. Raises ``SecretsError`` when there is no answer."""
    try:
        return Secret(getpass(f"{prompt}: ", stream=sys.stderr))
    except EOFError:
        raise SecretsError("no answer was given; nothing was changed") from None


def agreed(question: str) -> bool:
    """Ask a question whose answer is yes unless it is said to be no."""
    print(f"{question} [Y/n] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("", "y", "yes")


def value(what: str) -> Secret:
    """Return a new value: asked for twice at a terminal, else what standard input has.

    Raises ``SecretsError`` when the two differ or the value cannot be a secret's.
    """
    if there():
        given = hidden(f"Value of {what}")
        if given.unmask() != hidden("The same again").unmask():
            raise SecretsError("the two values differ; nothing was changed")
    else:
        given = _piped()
    if wrong := wrong_value(given.unmask()):
        raise SecretsError(f"the value of {what} cannot be used: {wrong}; nothing was changed")
    return given


def _piped() -> Secret:
    try:
        return Secret(sys.stdin.read().removesuffix("\n").removesuffix("\r"))
    except UnicodeDecodeError:
        raise SecretsError("standard input is no text; nothing was changed") from None
