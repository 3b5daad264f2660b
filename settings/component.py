"""What a component's settings class is made of.

A component's settings are one frozen pydantic model. Its fields are named in group data with the component's
prefix: ``RedisSettings.port`` is ``redis_port``. Each field is of one kind:

- configured: written in group data, with a default
- entered: a value that a person must give; secrets come from the store (``settings/store.py``)
- derived: computed from other settings and the inventory by ``settings/resolve.py``; not set by hand
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["configured", "entered", "derived"]


class Component(BaseModel):
    """Base of all settings classes: frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, regex_engine="python-re")

    prefix: ClassVar[str]

    @classmethod
    def kind(cls, field: str) -> Kind:
        """Kind of FIELD; one that declares none is configured."""
        extra = cls.model_fields[field].json_schema_extra
        kind: Any = extra.get("kind", "configured") if isinstance(extra, dict) else "configured"
        return kind  # type: ignore[no-any-return]


def configured(default: Any, description: str, **constraints: Any) -> Any:
    """Declare a setting that is written in group data.

    + default: used where it is not set
    + description: one line for the operator
    + constraints: pydantic's (``ge``, ``le``, ``pattern``, …)
    """
    return Field(default=default, description=description, **constraints)


def entered(description: str, **constraints: Any) -> Any:
    """Declare a setting that a person must give; a ``Secret`` is taken from the store by its full name."""
    return Field(description=description, json_schema_extra={"kind": "entered"}, **constraints)


def derived(description: str, **constraints: Any) -> Any:
    """Declare a setting that ``settings/resolve.py`` computes; it cannot be set by hand."""
    return Field(description=description, json_schema_extra={"kind": "derived"}, **constraints)
