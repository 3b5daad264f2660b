"""What a site says of its own CKAN extensions."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

OptionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
_PINNED = re.compile(r"^[A-Za-z0-9._-]+==\S+( +--hash=sha256:[0-9a-f]{64})+$")


class Extension(BaseModel):
    """One of the site's own CKAN extensions.

    + requirements: lines of a lock file, ``name==version --hash=sha256:…``: the extension and whatever it needs
      beyond CKAN's own lock
    + plugins: names for ``ckan.plugins``, after CKAN's own, in this order
    + options: lines for ckan.ini's ``[app:main]``
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    requirements: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    options: dict[OptionName, str] = Field(default_factory=dict)

    @field_validator("requirements")
    @classmethod
    def _pinned(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        for line in lines:
            if not _PINNED.match(line):
                raise ValueError(f"not pinned with a hash: {line!r}; write `name==version --hash=sha256:…`")
        return lines


def all_plugins(own: tuple[str, ...], extensions: tuple[Extension, ...]) -> tuple[str, ...]:
    """Return the plugins of CKAN and of EXTENSIONS, in order, each once."""
    return tuple(dict.fromkeys((*own, *(plugin for extension in extensions for plugin in extension.plugins))))


def all_options(own: dict[str, str], extensions: tuple[Extension, ...]) -> dict[str, str]:
    """Return the options of EXTENSIONS and of the site, sorted by name; the site's win."""
    merged: dict[str, str] = {}
    for extension in extensions:
        merged.update(extension.options)
    return dict(sorted({**merged, **own}.items()))
