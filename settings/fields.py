"""Each value alone: is it what its setting allows?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from settings.origin import Problem
from settings.schema import Setting, settings
from settings.shown import plain, shown
from settings.sources import HostSource, Value

# What pydantic finds of a part of a list or dictionary, in other words.
_PARTS = {
    "string_type": "must be text",
    "string_pattern_mismatch": "has not the form that is allowed",  # pydantic's words are the regular expression
    "extra_forbidden": "there is no such key",
    "dict_type": "must be a dictionary",
}
_KEY = "[key]"  # how pydantic says that not a value of a dictionary is wrong, but its key


def check(name: str, host: HostSource, values: Mapping[str, Value]) -> tuple[dict[str, Any], list[Problem]]:
    """Return the valid ones of VALUES of the host NAME, as their settings' types; and the problems of the others.

    A setting that must be set but is not is a problem of the hosts that have its component.
    """
    valid: dict[str, Any] = {}
    problems: list[Problem] = []
    for setting in settings().values():
        if setting.kind == "derived" or setting.secret:
            continue
        if setting.name in values:
            try:
                valid[setting.name] = setting.adapter.validate_python(values[setting.name].value)
            except ValidationError as error:
                problems += [_wrong(setting, values[setting.name], item) for item in error.errors()]
        elif setting.required and setting.component.group in ("", *host.groups):
            problems.append(
                Problem(
                    f"{setting.name} is missing for host {name}: {_lower(setting.description)}; "
                    f"set it {_home(setting)}, for example {_example(setting)}",
                    host.origin,
                    (setting.name,),
                )
            )
    return valid, problems


def _wrong(setting: Setting, value: Value, item: Any) -> Problem:
    """Say what is wrong with VALUE, or with ITEM's part of it."""
    place = item["loc"]
    if is_key := place[-1:] == (_KEY,):
        place = place[:-2]
    whole = setting.name + "".join(f"[{part!r}]" for part in place)
    # An option may hold a secret.
    part = plain({place[-1]: item["input"]}) if place else {"": value.value}
    whole += f", the key {shown(item['input'])}" if is_key else f" = {shown(*part.values())}"
    if item["type"] == "value_error":
        says = str(item["msg"]).removeprefix("Value error, ")
    elif item["loc"]:
        wanted = _PARTS.get(item["type"]) or _lower(item["msg"])
        says = f"{wanted}; {setting.name} must be {setting.allowed}, for example {_example(setting)}"
    else:
        unit = f" ({setting.unit})" if setting.unit else ""
        says = f"must be {setting.allowed}{unit}; for example {_example(setting)}"
    return Problem(f"{whole}: {says}", value.origin, (setting.name,))


def _home(setting: Setting) -> str:
    return "with the host in the inventory" if setting.name == "address" else "in group_data/"


def _example(setting: Setting) -> str:
    return f"{setting.name} = {shown(setting.example, 170)}"


def _lower(message: str) -> str:
    return message if message[:2].isupper() else message[:1].lower() + message[1:]
