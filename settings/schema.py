"""All settings by name: the one place that resolution, errors, the reference and ``python -m settings`` ask."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BeforeValidator, Strict, TypeAdapter
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, PydanticUndefinedType

from settings.component import Component, Kind
from settings.host import SCHEMA
from settings.secret import Secret

_TYPES = {int: "whole number", str: "text", tuple: "list", dict: "dictionary", Secret: "secret"}


@dataclass(frozen=True)
class Setting:
    """What the schema says of one setting.

    + default: ``PydanticUndefined`` where there is none
    + allowed: what follows "must be"
    + example: a valid value; none of secrets and derived settings
    + how, inputs: of a derived one, how it is made and from which settings; inputs also of one that is derived where it
      is not set
    """

    name: str
    component: type[Component]
    field: str
    kind: Kind
    type: str
    default: Any
    unit: str
    description: str
    allowed: str
    example: Any
    secret: bool
    how: str
    inputs: tuple[str, ...]

    @property
    def required(self) -> bool:
        """It has no default."""
        return isinstance(self.default, PydanticUndefinedType)

    @property
    def adapter(self) -> TypeAdapter[Any]:
        """Validate one value alone, with the field's constraints."""
        return _adapter(self.component, self.field)


@cache
def settings() -> dict[str, Setting]:
    """Return all settings by name, in the order of the reference."""
    found = [_setting(component, field) for component in SCHEMA for field in component.model_fields]
    return {setting.name: setting for setting in found}


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """Return the one of KNOWN that is most like NAME; empty when none is."""
    return next(iter(get_close_matches(name, known, n=1, cutoff=cutoff)), "")


def _setting(component: type[Component], field: str) -> Setting:
    info = component.model_fields[field]
    declared = component.declared(field)
    annotation = _without_none(info.annotation)
    is_secret = annotation is Secret
    return Setting(
        name=component.name(field),
        component=component,
        field=field,
        kind=component.kind_of(field),
        type=_type(annotation),
        default=info.get_default(call_default_factory=True) if not info.is_required() else PydanticUndefined,
        unit=declared.get("unit", ""),
        description=info.description or "",
        allowed=declared.get("allowed") or _allowed(annotation, info),
        example=declared.get("example"),
        secret=is_secret,
        how=declared.get("how", ""),
        inputs=declared.get("inputs", ()),
    )


def _without_none(annotation: Any) -> Any:
    if get_origin(annotation) in (Union, UnionType):
        (annotation,) = (one for one in get_args(annotation) if one is not type(None))
    return annotation


def _type(annotation: Any) -> str:
    if annotation is bool:
        return "True or False"
    if get_origin(annotation) is Literal:
        return "choice"
    return _TYPES[get_origin(annotation) or annotation]


def _allowed(annotation: Any, info: FieldInfo) -> str:
    """Say what is allowed, from the type and the constraints."""
    if get_origin(annotation) is Literal:
        choices = [repr(choice) for choice in get_args(annotation)]
        return " or ".join((", ".join(choices[:-1]), choices[-1])) if len(choices) > 1 else choices[0]
    limits = {
        key: getattr(item, key) for item in info.metadata for key in ("ge", "le", "max_length") if hasattr(item, key)
    }
    kind = _type(annotation)
    if "ge" in limits and "le" in limits:
        return f"a whole number from {limits['ge']} to {limits['le']}"
    if "ge" in limits:
        return f"a whole number of at least {limits['ge']}"
    if "max_length" in limits:
        return f"text of at most {limits['max_length']} characters"
    return {"whole number": "a whole number", "list": "a list of texts", "dictionary": "a dictionary"}.get(kind, kind)


@cache
def _adapter(component: type[Component], field: str) -> TypeAdapter[Any]:
    info = component.model_fields[field]
    # True is no number of workers, and 1 no answer to a question.
    strict = [Strict()] if _without_none(info.annotation) in (int, bool) else []
    # Through a tuple: the configuration may not be given for a type that is a model itself.
    annotated: Any = Annotated[(info.annotation, *strict, *info.metadata, BeforeValidator(_on_one_line))]
    return TypeAdapter(annotated, config={"hide_input_in_errors": True, "regex_engine": "python-re"})


def _on_one_line(value: Any) -> Any:
    """Refuse line breaks and other control characters anywhere in VALUE: in a file on a host they begin a new line."""
    parts = [value] if isinstance(value, str) else []
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        parts = list(value)
    for part in parts:
        if isinstance(part, str):
            if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in part):
                raise ValueError("a line break or another control character stands in it; write it on one line")
        else:
            _on_one_line(part)
    return value
