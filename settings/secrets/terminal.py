"""What is asked of the person at the terminal; standard output stays free for what programs read."""

from __future__ import annotations

import sys
from collections.abc import Callable
from getpass import getpass

from settings.secret import Secret
from settings.secrets.errors import SecretsError


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
    answer = sys.stdin.readline()
    return bool(answer) and answer.strip().lower() in ("", "y", "yes")  # no line at all: the person has gone


def value(what: str, taken: Callable[[str], Secret], wrong: Callable[[Secret], str]) -> Secret:
    """Return a new value: asked for twice at a terminal, else what standard input has.

    + taken: makes it of the text that standard input has
    + wrong: says what is wrong with it

    Raises ``SecretsError`` when the two differ or the value cannot be used.
    """
    given = twice(what) if there() else _piped(taken)
    if problem := wrong(given):
        raise SecretsError(f"the value of {what} cannot be used: {problem}; nothing was changed")
    return given


def twice(what: str) -> Secret:
    """Ask for a value twice. Raises ``SecretsError`` when the two differ."""
    given = hidden(f"Value of {what}")
    if given.unmask() != hidden("The same again").unmask():
        raise SecretsError("the two values differ; nothing was changed")
    return given


def _piped(taken: Callable[[str], Secret]) -> Secret:
    try:
        return taken(sys.stdin.read())
    except UnicodeDecodeError:
        raise SecretsError("standard input is no text; nothing was changed") from None
