"""Facts about folders with a portal's files that it would not use any more."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pyinfra.api import FactBase, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.sent import on_host
from facts.value import Value

# Files are counted only where a folder would be another one: a storage may hold millions.
_SCRIPT = r"""
import configparser, json, os, re, sys
ini, storage, environment, mark, data = sys.argv[1:]
left = {}
def files(folder):
    count = 0
    for place, folders, names in os.walk(folder) if folder.startswith("/") else ():
        if ".minio.sys" in folders:
            folders.remove(".minio.sys")
        count += len(names)
    return count
def compare(what, old, new):
    if old.startswith("/") and os.path.realpath(old) != os.path.realpath(new or "/"):
        there, here = files(old), files(new)
        if there > here:
            left[what] = {"folder": old, "files": there, "instead": here}
if storage:
    parser = configparser.RawConfigParser({"here": os.path.dirname(ini)}, strict=False)
    try:
        parser.read(ini)
        old = parser.get("app:main", "ckan.storage_path").replace("%(here)s", os.path.dirname(ini))
        compare("uploads", old.strip().rstrip("/"), storage)
    except configparser.Error:
        pass
if data or os.path.isdir(mark):
    try:
        found = re.search(r"^MINIO_VOLUMES=[\"']?([^\"'\n]*)", open(environment).read(), re.M)
        compare("objects", found.group(1).strip().rstrip("/") if found else "", data)
    except OSError:
        pass
print(json.dumps(left))
"""


@dataclass(frozen=True)
class LeftState(Value):
    """A folder that would be used no longer, how many files are in it, and in the one that would take its place."""

    folder: str
    files: int
    instead: int


class LeftFiles(FactBase[dict[str, LeftState]]):
    """Folders with more files than those that would be used in their place: "uploads", and "objects" of MinIO.

    + ini: path of the ckan.ini that names the folder of uploads now
    + storage: folder of uploads as it is wanted; empty: this host has none
    + environment: path of the file that names MinIO's folder now
    + mark: folder that only a run of ours makes for MinIO: without it a MinIO that is not wanted is somebody else's
    + data: MinIO's folder as it is wanted; empty: this host has none
    """

    @override
    def command(self, ini: str, storage: str, environment: str, mark: str, data: str) -> StringCommand:
        """Build the one command of this fact."""
        return on_host(_SCRIPT, ini, storage, environment, mark, data)

    @staticmethod
    @override
    def default() -> dict[str, LeftState]:
        """There are none."""
        return {}

    @override
    def process(self, output: list[str]) -> dict[str, LeftState]:
        """Parse the JSON line; raises ``FactProcessError`` with the output shown."""
        try:
            return {what: LeftState(**found) for what, found in json.loads(output[-1]).items()}
        except (AttributeError, IndexError, TypeError, ValueError):
            raise FactProcessError(f"which files would be left behind is not understood: {output!r}") from None
