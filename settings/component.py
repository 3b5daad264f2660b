"""What a component's settings class is made of.

A component's settings are one frozen pydantic model. Its fields are named in group data with the component's
prefix: ``RedisSettings.port`` is ``redis_port``. Each field is of exactly one kind:

- configured: written in group data or with a host; with a default, or ``REQUIRED``
- derived: computed from other settings and the inventory; says how and from what, and is not set by hand
- entered: a value that a person must give; secrets come from the store (``settings/store.py``)
- internal: set by our own programs (the lab), not by people

What the schema says of a field is a ``Setting`` (``settings/schema.py``).
"""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pyinfra.api.hiddenvalue import HiddenValue

from settings.masking import SHORTEST

Kind = Literal["configured", "derived", "entered", "internal"]

REQUIRED: Any = ...  # instead of a default: must be set
_DEFAULT: Any = object()  # the default is the example


# URL-safe: the secrets stand in database URLs and ini files, where quoting is one more thing to get wrong.
ALPHABET = string.ascii_letters + string.digits + "-_"


@dataclass(frozen=True)
class SecretSpec:
    """What the schema says of one secret.

    + name: its full name, ``postgresql_password``
    + description: one line for the operator
    + rotation: what the next run does with another value, and what people notice of it
    + generated: it may be made by chance; otherwise a person must give it (another system's password)
    + length: of a generated one, characters
    + alphabet: of a generated one
    + pattern: regular expression of the whole value
    + allowed: what that says, in words
    + multiline: it may have several lines (a private key); all others have one, since a line more could set something
      else in the file that they go to
    + stand_in: a value of its form, for when none is opened
    """

    name: str
    description: str = ""
    rotation: str = ""
    generated: bool = True
    length: int = 43
    alphabet: str = ALPHABET
    pattern: str = ".*"
    allowed: str = ""
    multiline: bool = False
    stand_in: str = ""

    def wrong(self, value: str) -> str:
        """Say what is wrong with VALUE as this secret; "" when nothing is."""
        if len(value) < SHORTEST:
            return f"it must have at least {SHORTEST} characters, since a shorter one cannot be masked in output"
        return "" if self.fits(value) else f"it must be of {self.allowed}"

    def fits(self, value: str) -> bool:
        """Whether VALUE has the form of this secret."""
        return re.fullmatch(self.pattern, value, re.DOTALL if self.multiline else re.NOFLAG) is not None


class Component(BaseModel):
    """Base of all settings classes: frozen, and strict about names."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, regex_engine="python-re")

    prefix: ClassVar[str]
    # The group whose one host has this component; empty: every host.
    group: ClassVar[str] = ""

    @field_validator("*")
    @classmethod
    def _secret_fits(cls, value: Any, info: ValidationInfo) -> Any:
        spec = cls.secrets().get(cls.name(info.field_name or ""))
        # Also one that did not come by the commands: out of a variable, or encrypted with age itself.
        if spec and isinstance(value, HiddenValue) and (problem := spec.wrong(value.unmask())):
            raise ValueError(problem.removeprefix("it "))
        return value

    @classmethod
    def name(cls, field: str) -> str:
        """Full name of FIELD, as data files have it."""
        return f"{cls.prefix}_{field}" if cls.prefix else field

    @classmethod
    def declared(cls, field: str) -> dict[str, Any]:
        """What was said of FIELD beyond pydantic's own: kind, unit, allowed, example, how, inputs, secret."""
        extra = cls.model_fields[field].json_schema_extra
        return extra if isinstance(extra, dict) else {}

    @classmethod
    def kind_of(cls, field: str) -> Kind:
        """Kind of FIELD."""
        kind: Kind = cls.declared(field)["kind"]
        return kind

    @classmethod
    def secrets(cls) -> dict[str, SecretSpec]:
        """Return the secrets of this component by their full names."""
        found = {}
        for field, info in cls.model_fields.items():
            if spec := cls.declared(field).get("secret"):
                found[cls.name(field)] = SecretSpec(cls.name(field), info.description or "", **spec)
        return found


def configured(
    default: Any,
    description: str,
    *,
    unit: str = "",
    allowed: str = "",
    example: Any = _DEFAULT,
    inputs: str = "",
    **constraints: Any,
) -> Any:
    """Declare a setting that is written in group data.

    + default: used where it is not set; ``REQUIRED``: none
    + description: one line for the operator
    + unit: of a number: MiB, seconds, …
    + allowed: what follows "must be"; by default made from the type and the constraints, so a pattern needs it
    + example: a valid value for the reference and for errors; by default the default
    + inputs: of one that is derived where it is not set: names of the settings that it is derived from then
    + constraints: pydantic's (``ge``, ``le``, ``pattern``, …)
    """
    example = default if example is _DEFAULT else example
    declared = {"unit": unit, "allowed": allowed, "example": example, "inputs": tuple(inputs.split())}
    return _field("configured", description, constraints, default=default, **declared)


def internal(default: Any, description: str, **constraints: Any) -> Any:
    """Declare a setting of our own programs."""
    return _field("internal", description, constraints, default=default, example=default)


def entered(description: str, *, allowed: str = "", example: Any, **constraints: Any) -> Any:
    """Declare a setting that a person must give."""
    return _field("entered", description, constraints, allowed=allowed, example=example)


def secret(
    description: str,
    *,
    rotation: str,
    generated: bool = True,
    length: int = 43,
    alphabet: str = ALPHABET,
    pattern: str = ".*",
    allowed: str = "",
    multiline: bool = False,
    stand_in: str = "",
    **constraints: Any,
) -> Any:
    """Declare an entered setting whose value comes from the secret store.

    + rotation: what the next run does with another value, and what people notice of it, in sentences
    + generated: ``python -m settings.secrets generate`` may make it; False for what another system gave
    + length: of a generated one, characters; 43 of 64 are 258 bits
    + alphabet: of a generated one
    + pattern: regular expression of the whole value
    + allowed: what that says, after "it must be of"
    + multiline: it may have several lines, without a line break at its end; it is given from a file
    + stand_in: a value that fits the pattern, where zeros do not
    """
    spec: Any = {"rotation": rotation, "generated": generated, "length": length, "alphabet": alphabet}
    spec |= {"pattern": pattern, "allowed": allowed, "multiline": multiline, "stand_in": stand_in}
    return _field("entered", description, constraints, secret=spec)


def derived(description: str, how: str, inputs: str, *, unit: str = "", **constraints: Any) -> Any:
    """Declare a setting that is computed (``settings/derive.py``); it cannot be set by hand.

    + how: how it is derived, as the end of "it is …"
    + inputs: names of the settings it is derived from, and ``groups`` for the inventory's groups, or ``locks``
    """
    return _field("derived", description, constraints, how=how, inputs=tuple(inputs.split()), unit=unit)


def _field(kind: Kind, description: str, constraints: dict[str, Any], **declared: Any) -> Any:
    if "default" in declared:
        constraints = {"default": declared.pop("default"), **constraints}
    return Field(description=description, json_schema_extra={"kind": kind, **declared}, **constraints)
