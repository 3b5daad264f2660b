"""How values are shown to people: shortened, and without what may be a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from settings.masking import MASK

_SECRET_KEY = re.compile(r"secret|passw|token|api[_.-]?key|credential", re.IGNORECASE)
_IN_URL = re.compile(r"(://[^/\s:@]*:)[^/\s@]+(?=@)")


def plain(value: Any) -> Any:
    """VALUE as what JSON knows, tuples as lists.

    Options of extensions may hold passwords, which have no place there but must not be spread either: values whose
    key says so, and passwords in URLs, are masked.
    """
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, Mapping):
        return {str(key): MASK if _SECRET_KEY.search(str(key)) else plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(one) for one in value]
    if isinstance(value, str):
        return _IN_URL.sub(rf"\1{MASK}", value)
    return value if value is None or isinstance(value, bool | int | float) else str(value)


def shown(value: Any, most: int = 60) -> str:
    """VALUE as it is written in a data file, shortened to MOST characters."""
    text = repr(plain(value))
    return text if len(text) <= most else f"{text[: most - 1]}…"
