"""What a component's settings class is made of.

A component's settings are one frozen pydantic model. Its fields are named in group data with the component's
prefix: ``RedisSettings.port`` is ``redis_port``. Each field is of one kind:

- configured: written in group data, with a default
- entered: a value that a person must give; secrets come from the store (``settings/store.py``)
- derived: computed from other settings and the inventory by ``settings/resolve.py``; not set by hand
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

Kind = Literal["configured", "entered", "derived"]


@dataclass(frozen=True)
class SecretSpec:
    """What the schema says of one secret.

    + name: its full name, ``postgresql_password``
    + description: one line for the operator
    + generated: it may be made by chance; otherwise a person must give it (another system's password)
    + length: of a generated one, characters
    + alphabet: of a generated one
    """

    name: str
    description: str
    generated: bool
    length: int
    alphabet: str


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

    @classmethod
    def secrets(cls) -> dict[str, SecretSpec]:
        """Return the secrets of this component by their full names."""
        found = {}
        for field, info in cls.model_fields.items():
            extra = info.json_schema_extra
            if isinstance(extra, dict) and "secret" in extra:
                name = f"{cls.prefix}_{field}"
                found[name] = SecretSpec(name, info.description or "", **extra["secret"])  # type: ignore[arg-type]
        return found


def configured(default: Any, description: str, **constraints: Any) -> Any:
    """Declare a setting that is written in group data.

    + default: used where it is not set
    + description: one line for the operator
    + constraints: pydantic's (``ge``, ``le``, ``pattern``, …)
    """
    return Field(default=default, description=description, **constraints)


def entered(description: str, **constraints: Any) -> Any:
    """Declare a setting that a person must give."""
    return Field(description=description, json_schema_extra={"kind": "entered"}, **constraints)


# URL-safe: the secrets stand in database URLs and ini files, where quoting is one more thing to get wrong.
ALPHABET = string.ascii_letters + string.digits + "-_"


def secret(
    description: str, *, generated: bool = True, length: int = 43, alphabet: str = ALPHABET, **constraints: Any
) -> Any:
    """Declare an entered setting whose value comes from the secret store.

    + generated: ``python -m settings.secrets generate`` may make it; False for what another system gave
    + length: of a generated one, characters; 43 of 64 are 258 bits
    + alphabet: of a generated one
    """
    spec: Any = {"generated": generated, "length": length, "alphabet": alphabet}
    return Field(description=description, json_schema_extra={"kind": "entered", "secret": spec}, **constraints)


def derived(description: str, **constraints: Any) -> Any:
    """Declare a setting that ``settings/resolve.py`` computes; it cannot be set by hand."""
    return Field(description=description, json_schema_extra={"kind": "derived"}, **constraints)
