"""Facts about which object storage MinIO has in a folder: the one of the last run, or another one there."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value

# MinIO gives a storage its number when it begins with an empty folder.
_SCRIPT = r"""
import json, os, stat, sys
data, note = sys.argv[1:]
answer = {"noted": "", "present": ""}
try:
    found = os.lstat(note)
    if stat.S_ISREG(found.st_mode) and stat.S_IMODE(found.st_mode) == 0o600 and found.st_uid == os.geteuid():
        number, folder = open(note).read().removesuffix("\n").split(" ", 1)
        answer["noted"] = number if folder == data else ""
except (OSError, ValueError):
    pass
try:
    answer["present"] = str(json.load(open(data + "/.minio.sys/format.json"))["id"])
except (OSError, ValueError, KeyError, TypeError):
    pass
print(json.dumps(answer))
"""


@dataclass(frozen=True)
class StorageState(Value):
    """Numbers of object storages in a folder: ``noted`` by the last run, and ``present`` now; "" for none."""

    noted: str = ""
    present: str = ""


class Storage(FactBase[StorageState]):
    """Which object storage is in a folder, and which one was there at the end of the last run.

    + data: absolute path of MinIO's data
    + note: absolute path of the last run's note
    """

    @override
    def command(self, data: str, note: str) -> StringCommand:
        """Build the one command of this fact."""
        arguments = map(QuoteString, (data, note))
        return StringCommand("! command -v python3 >/dev/null || python3 -I -c", QuoteString(_SCRIPT), *arguments)

    @staticmethod
    @override
    def default() -> StorageState:
        """There is none."""
        return StorageState()

    @override
    def process(self, output: list[str]) -> StorageState:
        """Parse the JSON line; raises ``FactProcessError`` with the output shown."""
        try:
            return StorageState(**json.loads(output[-1]))
        except (IndexError, TypeError, ValueError):
            raise FactProcessError(f"which object storage is there is not understood: {output!r}") from None
