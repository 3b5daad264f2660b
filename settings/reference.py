"""The page docs/settings.md, made from the settings classes: ``python -m settings.reference > docs/settings.md``."""

from __future__ import annotations

from typing import get_args

from pydantic_core import PydanticUndefined

from settings.component import Component
from settings.resolve import COMPONENTS
from settings.secret import Secret

_HEAD = """\
# Settings

Written in `group_data/` (`all.py` for every environment, `production.py` for the inventory of that name) or for one
host in its inventory; `--data NAME=VALUE` sets one for a single run. A wrong name or value stops the run before any
change, all of them at once. Besides these, each host has its `address`, and `secrets_folder` says where the secrets
are.

This page is made by `python -m settings.reference`.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    parts = [_HEAD]
    for component in COMPONENTS:
        parts.append(f"\n## {component.prefix}\n\n{(component.__doc__ or '').strip()}\n")
        rows = [_row(component, field) for field in component.model_fields if component.kind(field) != "derived"]
        parts.append("\n| name | default | |\n|---|---|---|\n" + "".join(rows))
    return "".join(parts)


def _row(component: type[Component], field: str) -> str:
    info = component.model_fields[field]
    secret = info.annotation is Secret or Secret in get_args(info.annotation)
    if secret:
        default = "*a secret*"
    elif info.default is PydanticUndefined:
        default = "*must be set*"
    else:
        shown = repr(info.default)
        default = f"`{shown}`" if len(shown) <= 60 else f"`{shown[:50]}…`"
    description = (info.description or "").replace("|", "\\|")
    return f"| `{component.prefix}_{field}` | {default} | {description} |\n"


if __name__ == "__main__":
    print(page(), end="")
