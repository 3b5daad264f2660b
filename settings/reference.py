"""The page docs/settings.md, made from the schema: ``python -m settings.reference > docs/settings.md``."""

from __future__ import annotations

from settings.component import Component, SecretSpec
from settings.host import SCHEMA
from settings.schema import Setting, settings
from settings.shown import shown

_HEAD = """\
# Settings

Each setting is of one kind:

- **configured**: written in `group_data/` or with a host in the inventory; has a default, or must be set
- **derived**: computed from other settings and the inventory; not set by hand
- **entered**: given by a person; secrets come from the secret store
- **internal**: set by our own programs, not by people

Where several places set one, the strongest counts: `--data NAME=VALUE` for a single run, the host in the inventory, the
environment (`group_data/production.py` for `inventory/production.py`), the host's groups (`group_data/portal.py`),
`group_data/all.py`. Two groups of a host must not disagree. Whatever is wrong stops the run before any connection, all
of it at once, each with its file and line.

    python -m settings inventory/production.py                      # what is set, from where, and what is wrong
    python -m settings inventory/production.py redis --host data    # of one component, for one host
    python -m settings inventory/production.py --changed-from main  # what differs from another state of the repository

This page is made by `python -m settings.reference`.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    return _HEAD + "".join(_section(component) for component in SCHEMA)


def _section(component: type[Component]) -> str:
    own = [setting for setting in settings().values() if setting.component is component]
    title = component.prefix or "host"
    lines = [f"\n## {title}", "", _prose(component), ""]
    if written := [setting for setting in own if setting.kind != "derived"]:
        lines += ["| name | kind | default | must be | |", "|---|---|---|---|---|", *map(_written, written), ""]
    if computed := [setting for setting in own if setting.kind == "derived"]:
        lines += ["| derived | is | from | |", "|---|---|---|---|", *map(_computed, computed), ""]
    if kept := component.secrets():
        lines += ["When a secret is rotated (`python -m settings.secrets rotate`):", ""]
        lines += [*(f"- `{name}`: {spec.rotation}" for name, spec in kept.items()), ""]
    if examples := [setting for setting in written if setting.kind == "configured"]:
        lines += ["For example:", "", *(f"    {_example(setting)}" for setting in examples), ""]
    if kept:
        lines += ["Its secrets, one by one:", "", *(f"    {_command(spec)}" for spec in kept.values()), ""]
    return "\n".join(lines)


def _prose(component: type[Component]) -> str:
    return "\n".join(line.strip() for line in (component.__doc__ or "").strip().splitlines()).replace("``", "`")


def _written(setting: Setting) -> str:
    if setting.secret:
        default, allowed = "*a secret*", _form(setting)
    else:
        default = "*must be set*" if setting.required else f"`{shown(setting.default, 50)}`"
        allowed = setting.allowed + (f" ({setting.unit})" if setting.unit else "")
    cells = (f"`{setting.name}`", setting.kind, default, allowed, setting.description)
    return _row(*cells)


def _form(setting: Setting) -> str:
    spec = setting.component.secrets()[setting.name]
    shape = spec.allowed or ("lines of text" if spec.multiline else "one line")
    return f"{shape}; `generate` makes {spec.length} characters" if spec.generated else f"{shape}; a person gives it"


def _computed(setting: Setting) -> str:
    unit = f" ({setting.unit})" if setting.unit else ""
    inputs = ", ".join(f"`{name}`" if name in settings() else name for name in setting.inputs)
    return _row(f"`{setting.name}`", f"{setting.description}{unit}", inputs, setting.how)


def _row(*cells: str) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _example(setting: Setting) -> str:
    if setting.name == "address":  # of one host, so in the inventory
        return f'portal = [("data", {{"address": "{setting.example}"}})]'
    return f"{setting.name} = {shown(setting.example, 10000)}"


def _command(spec: SecretSpec) -> str:
    return f"python -m settings.secrets set inventory/production.py {spec.name}{' < FILE' if spec.multiline else ''}"


if __name__ == "__main__":
    print(page(), end="")
