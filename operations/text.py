"""Texts for files on hosts, rendered from templates, that show their secrets masked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from pyinfra.api.hiddenvalue import HiddenValue

from operations.difference import Difference

MASK: str = HiddenValue().masked_value  # type: ignore[no-untyped-call]  # as pyinfra shows secrets itself
_SPOILT = re.compile(r"(\*|%2A)masked(\*|%2A)", re.IGNORECASE)  # what filters make of a mask: lower, urlencode, …
_TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
_MARK = re.compile("\ue000([^\ue001]*)\ue001")  # a secret in a text for people, with what its change means


@dataclass(frozen=True)
class Text:
    """A whole file's text: ``secret`` is what goes to the host, ``masked`` is what people may see.

    ``private``: the file may have held a secret although this text has none. ``effects``: what it means that the secret
    in a line changes, by the masked line.
    """

    secret: str = field(repr=False)
    masked: str
    private: bool = False
    effects: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def plain(cls, text: str) -> Text:
        """Return TEXT as a text without secrets."""
        return cls(text, text)

    def diff(self, current: Sequence[str]) -> list[str]:
        """Difference from the CURRENT lines of the file to this text: that secrets change is said, none is shown."""
        wanted, masked = (text.removesuffix("\n").split("\n") for text in (self.secret, self.masked))
        return Difference(current, wanted, masked, MASK, self.effects, self.private).lines()


def render(template: str, *settings: object, private: bool = False, **values: object) -> Text:
    """Render TEMPLATE (a path below ``templates/``) twice: for the host, and masked for people.

    + settings: at most one settings object, named ``settings`` in the template
    + private: the file may hold a secret with other settings, so that lines of it that go away are not shown
    + values: further names for the template; strings, numbers, sequences and ``HiddenValue``

    An undefined name is an error, as is a secret that lost its type on the way (it would be written as its
    mask): use the filters ``uri`` and ``ini`` on secrets, never ``~`` or ``+``; ``in_url`` on addresses. The filter
    ``changes(effect)`` says of a secret what it means that it changes: differences show that.

    Raises ``jinja2.UndefinedError`` and ``ValueError``.
    """
    if settings:
        values = {"settings": settings[0], **values}
    secret = _environment(reveal=True).get_template(template).render(values)
    if _SPOILT.search(secret):
        raise ValueError(f"{template}: a secret became plain text before it was rendered; use a filter on it")
    marked = _environment(reveal=False).get_template(template).render(values)
    masked = _MARK.sub(MASK, marked)
    lines = zip(marked.split("\n"), masked.split("\n"), strict=True)
    effects = {shown: "; ".join(found) for line, shown in lines if (found := [e for e in _MARK.findall(line) if e])}
    return Text(secret, masked, private, effects)


class _Explained(HiddenValue):
    """A secret, and what it means that it changes."""

    effect = ""


class _Environment(jinja2.Environment):
    """Templates that cannot look into a secret: what it gives away there would be shown."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        """As in any template; a secret has no attributes."""
        return super().getattr(_without_parts(obj, attribute), attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """As in any template; a secret has no items, which may be attributes, too."""
        return super().getitem(_without_parts(obj, argument), argument)


def _without_parts(value: Any, part: object) -> Any:
    if isinstance(value, HiddenValue):
        raise jinja2.UndefinedError(f"a secret has no {part} in a template; write it as it is, or filtered")
    return value


@cache
def _environment(*, reveal: bool) -> jinja2.Environment:
    environment = _Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # configuration files, not HTML
        finalize=_reveal if reveal else _mask,
    )
    environment.filters["uri"] = lambda value: _apply(lambda text: quote(text, safe=""), value)
    environment.filters["in_url"] = lambda address: f"[{address}]" if ":" in address else address
    environment.filters["ini"] = lambda value: _apply(lambda text: text.replace("%", "%%"), value)
    environment.filters["changes"] = _explain
    return environment


def _explain(value: object, effect: str) -> object:
    if not isinstance(value, HiddenValue):
        return value
    explained = _Explained(value.unmask())  # type: ignore[no-untyped-call]
    explained.effect = effect
    return explained


def _apply(function: object, value: object) -> object:
    assert callable(function)
    if isinstance(value, HiddenValue):
        return HiddenValue(function(value.unmask()))  # type: ignore[no-untyped-call]
    return function(str(value))


def _reveal(value: object) -> object:
    return value.unmask() if isinstance(value, HiddenValue) else value


def _mask(value: object) -> object:
    """Mark VALUE if it is a secret: each of its lines, so that a difference compares line with line."""
    if not isinstance(value, HiddenValue):
        return value
    mark = f"\ue000{getattr(value, 'effect', '')}\ue001"
    return re.sub(r"[^\n]+", mark, value.unmask()) or mark
