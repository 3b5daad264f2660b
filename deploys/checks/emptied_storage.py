"""A portal does not go on without its objects because MinIO's folder holds another storage, or none."""

from __future__ import annotations

from pyinfra import host

from facts.minio_identity import Storage
from operations.minio_identity import NOTE
from settings.minio import MinioSettings


def emptied_storage(settings: MinioSettings) -> str:
    """Say so when the object storage of the last run is no longer in its folder; empty when it is."""
    state = host.get_fact(Storage, data=settings.data, note=NOTE)
    if not state.noted or state.noted == state.present:
        return ""
    there = f"another one ({state.present})" if state.present else "none"
    return (
        f"the object storage of the last run, {state.noted}, is no longer in {settings.data}, where there is {there}: "
        f"is a disk not mounted? Put it back, or have the run take what is there, by removing {NOTE}"
    )
