"""Secrets that print masked everywhere."""

from __future__ import annotations

from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema
from pyinfra.api.hiddenvalue import HiddenValue


class Secret(HiddenValue):
    """A value that shows as ``*MASKED*`` in text, logs, plans, JSON and pydantic's errors.

    Only ``unmask()`` gives it away; call that where a text for the host is rendered, or not at all.
    """

    def to_json(self) -> str:
        """Masked: what pyinfra's JSON encoder prints."""
        return str(self)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Accept only ready-made secrets: a plain string in the settings would be a secret in clear text."""
        return core_schema.is_instance_schema(cls)
