"""Secrets that print masked everywhere."""

from __future__ import annotations

from typing import Any, NoReturn

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from pyinfra.api.hiddenvalue import HiddenValue

from settings import masking
from settings.masking import MASK


class Secret(HiddenValue):
    """A value that shows as ``*MASKED*`` in text, logs, plans, JSON, pydantic's errors and tracebacks with locals.

    Only ``unmask()`` gives it away; call that where a text for the host is rendered, or not at all. It has no parts:
    neither joined, sliced, measured nor added to. It does not change, so a copy is the secret itself; a pickle would
    hold it in clear text and is refused.
    """

    # Not in the instance's dictionary, which debuggers and vars() show (pyinfra's own class keeps it there).
    __slots__ = ("_value",)
    _value: str

    def __init__(self, value: str) -> None:
        object.__setattr__(self, "_value", value)
        masking.know(value)

    @property
    def masked_value(self) -> str:
        """What pyinfra shows in its place."""
        return MASK

    def unmask(self) -> str:
        """Return the value itself."""
        return self._value

    def to_json(self) -> str:
        """Masked: what pyinfra's JSON encoder prints."""
        return MASK

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return MASK

    def __format__(self, spec: str) -> str:
        return format(MASK, spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: object) -> Secret:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret is not pickled: the pickle would hold it in clear text")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("a secret does not change")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept only ready-made secrets: a plain string in the settings would be a secret in clear text."""
        masked = core_schema.plain_serializer_function_ser_schema(str, when_used="json")
        return core_schema.is_instance_schema(cls, serialization=masked)
