"""Note which object storage MinIO has, so that another one in the same folder is noticed."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import OperationError, StringCommand, operation

from facts.minio_identity import Storage
from operations import foresight, stamps
from operations.files import script
from operations.minio import FOLDER

NOTE = f"{FOLDER}/storage"


@operation()
def noted(data: str) -> Generator[StringCommand, None, None]:
    """Note the number that MinIO gave its storage when it began with an empty folder.

    + data: absolute path of that folder; MinIO has started when the operation runs
    """
    state = host.get_fact(Storage, data=data, note=NOTE)
    if state.noted and (foresight.preparing() or state.noted == state.present):
        host.noop("it is the object storage of the last run")
        return
    if not state.present and not foresight.preparing():
        raise OperationError(f"MinIO has no storage in {data}; see `journalctl -u minio`")
    foresight.will_touch(NOTE)
    yield script(stamps.NOTE, NOTE, f"{state.present} {data}")
