"""What differs between two states of the repository: ``python -m settings INVENTORY --changed-from REF``.

The other state is what git has of it, in a temporary folder. Its inventory and group data are read with the schema and
the code of today, so that a difference is one of what people wrote, and not of how it was read; what was derived
otherwise by the code of then is not seen. Secrets are compared as they are encrypted: only that one changed is known.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from pyinfra.api.exceptions import PyinfraError

from settings.host import secrets_declared
from settings.machine import SecretsSettings
from settings.origin import Origin
from settings.report import Row, as_json
from settings.resolve import Resolution
from settings.rule import Unknown
from settings.schema import settings
from settings.shown import shown

_CODE = Path(__file__).resolve().parent.parent
_FOLDER: str = SecretsSettings.model_fields["folder"].default
_PROGRAMS = {
    "deploys",
    "facts",
    "lab",
    "operations",
    "pyinfra_adapter",
    "settings",
    "tasks",
    "tests",
}  # of today, not of then


def since(ref: str, inventory: str, chosen: list[Row], found: Resolution, data: list[str]) -> list[dict[str, Any]]:
    """Return what differs of the CHOSEN settings from those in REF, by host and setting.

    Raises ``PyinfraError`` when REF, or the inventory in it, cannot be read.
    """
    if Path(inventory).is_absolute() or not Path(inventory).is_file():
        raise PyinfraError(f"{inventory} is no file below this folder, so git knows no other state of it")
    with tempfile.TemporaryDirectory() as folder:
        _extract(ref, Path(folder))
        if not (Path(folder) / inventory).is_file():
            raise PyinfraError(f"there is no {inventory} in {ref}")
        before = _settings(Path(folder), inventory, ref, data)
        then = next((host["settings"]["secrets_folder"]["value"] for host in before.values()), None)
        secrets = (
            _encrypted(Path(folder) / (then or _FOLDER) / Path(inventory).name),
            _encrypted(Path(_folder(found)) / Path(inventory).name),
        )
    now = as_json(chosen, found)["hosts"]
    names = {row.name for row in chosen}
    hosts = [*now, *(host for host in before if host not in now and len(now) == len(found.values.sources))]
    compared = [
        _difference(host, name, before.get(host, {}).get("settings", {}).get(name), _setting(now, host, name))
        for host in hosts
        for name in settings()
        if name in names
    ]
    return [*(one for one in compared if one), *_secrets(*secrets, names)]


def _folder(found: Resolution) -> str:
    """Folder of the secrets now; the usual one where it is wrong."""
    try:
        return str(found.values.of(next(iter(found.values.sources)), "secrets_folder"))
    except (StopIteration, Unknown):
        return _FOLDER


def as_text(differences: list[dict[str, Any]]) -> str:
    """Return DIFFERENCES as lines."""
    if not differences:
        return "nothing differs"
    lines = []
    for one in differences:
        sides = [_side(one[key]) for key in ("before", "now") if one[key]]
        lines.append(
            f"{one['host'] or 'all hosts'}  {one['setting']}  {one['change']}: {' -> '.join(sides)}".rstrip(": ")
        )
    return "\n".join(lines)


def _side(side: dict[str, Any]) -> str:
    value = shown(side["value"]) if side["known"] else "not known"
    origin = Origin(**{**side["origin"], "inputs": tuple(side["origin"]["inputs"])})
    return f"{value} {side['unit']}".rstrip() + f" ({origin})"


def _setting(hosts: dict[str, Any], host: str, name: str) -> dict[str, Any] | None:
    found: dict[str, Any] | None = hosts.get(host, {}).get("settings", {}).get(name)
    return found


def _difference(
    host: str, name: str, before: dict[str, Any] | None, now: dict[str, Any] | None
) -> dict[str, Any] | None:
    """Say how the setting NAME of HOST differs; None where it does not, is a secret, or follows from what is wrong."""
    if settings()[name].secret:
        return None
    if settings()[name].kind == "derived" and not all(side is None or side["known"] for side in (before, now)):
        return None
    sides = [None if side is None or side["state"] else side for side in (before, now)]
    known = [side and {key: side[key] for key in ("known", "value")} for side in sides]
    if known[0] == known[1]:
        return None
    change = "added" if sides[0] is None else "removed" if sides[1] is None else "changed"
    return {"host": host, "setting": name, "change": change, "before": sides[0], "now": sides[1]}


def _secrets(
    before: dict[tuple[str, str], str], now: dict[tuple[str, str], str], names: set[str]
) -> list[dict[str, Any]]:
    """Say which encrypted entries of the secrets NAMES differ."""
    changes = []
    for host, name in sorted({*before, *now}):
        one, other = before.get((host, name)), now.get((host, name))
        if name in names and one != other:
            change = "added" if one is None else "removed" if other is None else "encrypted anew"
            changes.append({"host": host, "setting": name, "change": f"secret {change}", "before": None, "now": None})
    return changes


def _encrypted(path: Path) -> dict[tuple[str, str], str]:
    """Encrypted entries of the file of secrets beside PATH's name, by host ("" for all) and name; none without it."""
    try:
        data = tomllib.loads(path.with_suffix(".toml").read_text())
    except (OSError, ValueError):  # what is wrong with it says whoever opens it
        return {}
    found: dict[tuple[str, str], str] = {}

    def visit(table: dict[str, Any], trail: tuple[str, ...]) -> None:
        for key, value in table.items():
            if key in secrets_declared():
                host = trail[-1] if len(trail) > 1 else ""
                found[host, key] = json.dumps(value, sort_keys=True, default=str)
            elif isinstance(value, dict):
                visit(value, (*trail, key))

    visit(data, ())
    return found


def _extract(ref: str, folder: Path) -> None:
    """Write what git has in REF of the working directory into FOLDER."""
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}", ref=ref).decode().strip()
    with tarfile.open(fileobj=io.BytesIO(_git("archive", "--format=tar", commit, ref=ref))) as archive:
        members = [member for member in archive if member.name.partition("/")[0] not in _PROGRAMS]
        archive.extractall(folder, members, filter="data")


def _git(*arguments: str, ref: str) -> bytes:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, check=True).stdout
    except FileNotFoundError as error:
        raise PyinfraError("there is no git on this machine; install it") from error
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines()
        raise PyinfraError(
            f"git knows no state {ref} of this folder{f' ({said[0]})' if said else ''}; `git log` lists them"
        ) from error


def _settings(folder: Path, inventory: str, ref: str, data: list[str]) -> dict[str, Any]:
    """Settings of the INVENTORY in FOLDER by host, read by the code of today in a process of its own."""
    command = [sys.executable, "-P", "-m", "settings", inventory, "--json", *(f"--data={one}" for one in data)]
    environment = {**os.environ, "PYTHONPATH": f"{folder}{os.pathsep}{_CODE}", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)
    except ValueError as error:
        raise PyinfraError(f"the settings in {ref} cannot be read: {done.stderr.strip()}") from error
    if not found["hosts"]:
        problems = "\n".join(problem["text"] for problem in found["problems"])
        raise PyinfraError(f"the settings in {ref} cannot be read:\n{problems}")
    hosts: dict[str, Any] = found["hosts"]
    return hosts
