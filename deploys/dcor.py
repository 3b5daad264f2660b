"""DCOR on top of CKAN: folders for data and scratch files, and the command dcor.

Its packages, its look and its options are in CKAN's environment and configuration, which ``ckan`` makes.
"""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from deploys.ckan import ENVIRONMENT, INI, OWN_LOGS
from operations import files, s3, scratch
from operations.text import Text, render
from settings.ckan import CkanSettings
from settings.dcor import DcorSettings

_COMMAND = "/usr/bin/dcor"
# Which folders of scratch files there are, so that they go when there are others, or none.
_SCRATCH = "/var/lib/ckan-deploy/dcor/scratch"


def command(settings: DcorSettings, ckan: CkanSettings) -> Text:
    """Text of the command dcor, which knows the folders of CKAN's account."""
    whole = (OWN_LOGS, f"{ckan.storage}/storage")
    return render(
        "dcor/dcor.py.j2",
        environment=ENVIRONMENT,
        ini=INI,
        variables=ckan.program_variables,
        folders=(
            *("/var/lib/ckan", ckan.storage, f"{ckan.storage}/resources", ckan.webassets_path),
            *(settings.scratch_path, *settings.scratch_folders),
            *whole,
        ),
        whole=whole,
    )


@deploy("DCOR")
def dcor(settings: DcorSettings, ckan: CkanSettings) -> None:
    """Have all in place that `dcor inspect` would otherwise make or change."""
    if settings.scratch_path not in settings.mounts:  # then it belongs to whoever made the disk
        files.directory(name="Make the scratch folder", path=settings.scratch_path)
    scratch.folders(
        name="Make the folders of scratch files",
        paths=settings.scratch_folders,
        owner="www-data",
        group="www-data",
        record=_SCRATCH,
    )
    files.install(
        name="Install the command dcor",
        dest=_COMMAND,
        text=command(settings, ckan),
        mode=0o755,
    )


@deploy("No DCOR")
def no_dcor() -> None:
    """Remove what was DCOR's alone from a portal that is a plain CKAN now."""
    files.absent(name="Remove the command dcor", path=_COMMAND)
    scratch.folders(name="Remove DCOR's scratch files", paths=(), owner="www-data", group="www-data", record=_SCRATCH)
    files.absent(name="Forget the check of DCOR's object storage", path=s3.STAMP)
