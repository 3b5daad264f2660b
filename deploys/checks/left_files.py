"""Files of users are not left behind silently when the folder of uploads, or MinIO's, becomes another one."""

from __future__ import annotations

from pyinfra import host

from deploys.ckan import INI
from deploys.object_storage import ENVIRONMENT
from facts.left_files import LeftFiles
from operations import minio
from settings.host import HostSettings


def left_files(settings: HostSettings) -> list[str]:
    """Say which folders with files would be used no longer."""
    storage = settings.ckan.storage if settings.ckan else ""
    data = settings.minio.data if settings.minio else ""
    found = host.get_fact(LeftFiles, ini=INI, storage=storage, environment=ENVIRONMENT, mark=minio.FOLDER, data=data)
    wanted = {"uploads": (storage, "ckan_storage_path"), "objects": (data, "minio_data")}
    problems = []
    for what, left in found.items():
        if left.folder in settings.base.leave_behind:
            continue
        folder, setting = wanted[what]
        instead = f"{folder}, which holds {left.instead} files" if folder else "no MinIO on this host any more"
        stay = f'stay with {setting} = "{left.folder}", ' if folder else ""
        problems.append(
            f"its {what} would be in {instead}, while the present folder, {left.folder}, holds {left.files}; move them "
            f'as docs/services.md has it, {stay}or leave them behind with base_leave_behind = ["{left.folder}"]'
        )
    return problems
