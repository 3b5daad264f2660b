"""Facts about which object storage MinIO has in a folder: the one of the last run, or another one there."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pyinfra.api import FactBase, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.sent import PRIVATE, on_host
from facts.value import Value

# MinIO gives a storage its number when it begins with an empty folder.
_SCRIPT = (
    PRIVATE
    + r"""
import json, sys
data, note = sys.argv[1:]
answer = {"noted": "", "present": ""}
try:
    if (text := private(note)) is not None:
        number, folder = text.removesuffix("\n").split(" ", 1)
        answer["noted"] = number if folder == data else ""
except ValueError:
    pass
try:
    answer["present"] = str(json.load(open(data + "/.minio.sys/format.json"))["id"])
except (OSError, ValueError, KeyError, TypeError):
    pass
print(json.dumps(answer))
"""
)


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
        return on_host(_SCRIPT, data, note)

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
