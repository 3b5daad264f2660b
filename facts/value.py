"""What all values of our facts have in common."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Value:
    """Base of the frozen dataclasses that facts return."""

    def to_json(self: DataclassInstance) -> dict[str, Any]:
        """Return the fields: what ``pyinfra INVENTORY fact facts.…`` prints."""
        return asdict(self)
