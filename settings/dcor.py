"""Settings of the component dcor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from settings.component import Component, configured
from settings.flavours import FLAVOURS
from settings.rule import Clash, View

_PATH = "an absolute path of letters, digits and ._-"
_PATH_PATTERN = r"^(/[A-Za-z0-9._-]+)+$"


class DcorSettings(Component):
    """DCOR's extensions on top of CKAN (flavour dcor only).

    Where the object storage is and with which key it is used: object_storage_….
    """

    prefix: ClassVar[str] = "dcor"
    group: ClassVar[str] = "portal"

    scratch_path: str = configured(
        "/cache", "Folder of the extensions' temporary files", allowed=_PATH, pattern=_PATH_PATTERN
    )
    scratch_space: int = configured(
        100,
        "Least space for them, free or taken by them already; less stops the run",
        unit="GB",
        example=20,
        ge=0,
    )
    mounts: tuple[Annotated[str, Field(pattern=_PATH_PATTERN)], ...] = configured(
        (),
        "Mount points of disks and shares; the run stops, and CKAN does not start, while one is not mounted",
        allowed=f"a list; each {_PATH}",
        example=["/data", "/cache"],
    )
    hdf5_file_locking: bool = configured(
        True, "Let HDF5 lock files; off where data or scratch files are on NFS", example=False
    )
    condense: bool = configured(True, "Make a condensed file of each uploaded measurement", example=False)
    intra_dataset_basins: bool = configured(
        True, "Have condensed files refer to the other files of their dataset", example=False
    )
    anonymous_listing: bool = configured(
        True, "Show the lists of circles, collections and tags to everybody", example=False
    )
    public_datasets: bool = configured(True, "Let users publish datasets to everybody", example=False)
    supplements: str = configured(
        "package",
        "Folder on the host of the site's own schema supplements; package: DCOR's",
        allowed=f"{_PATH}, or package",
        example="/srv/supplements",
        pattern=rf"^package$|{_PATH_PATTERN}",
    )
    licenses: Literal["licenses", "licenses_medical"] = configured(
        "licenses", "Licenses that datasets may have: the general ones, or those for medical data"
    )
    notify_user_create: bool = configured(
        True, "Write a mail to ckan_email_to, where that is set, when an account is made", example=False
    )
    session_seconds: int = configured(
        7776000, "Time after which people must log in again; by default 90 days", unit="seconds", ge=60
    )
    page_cache_seconds: int = configured(
        0,
        "Time for which browsers may keep a page that was read without an account; 0: ask each time",
        unit="seconds",
        example=86400,
        ge=0,
    )

    @property
    def scratch_folders(self) -> tuple[str, ...]:
        """Folders of temporary files in which CKAN and its workers write."""
        return tuple(f"{self.scratch_path}/{name}" for name in ("ckanext-dc_serve", "ckanext-dcor_depot"))

    @property
    def environment(self) -> dict[str, str]:
        """Variables for CKAN, its workers and its command."""
        return {} if self.hdf5_file_locking else {"HDF5_USE_FILE_LOCKING": "FALSE"}


def language_is_dcors(view: View) -> Iterator[Clash]:
    """The theme writes its words into one language, and ``dcor inspect`` goes back to it."""
    ours = FLAVOURS["dcor"].language
    if view["portal_flavour"] == "dcor" and view["ckan_locale"] not in (None, ours):
        yield Clash(
            ("ckan_locale", "portal_flavour"),
            f"DCOR's own words (circle, collection) are in {ours} only; remove ckan_locale",
        )


RULES = (language_is_dcors,)
