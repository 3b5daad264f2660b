"""Settings of the component base."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from settings.component import Component, configured

_Path = Annotated[str, Field(pattern=r"^/\S+$")]


class BaseSettings(Component):
    """What every host of a portal has."""

    prefix: ClassVar[str] = "base"

    admin_tools: bool = configured(
        False, "Install the optional tools of DCOR's manual (aptitude, net-tools, …)", example=True
    )
    journal_limit: str = configured(
        "200M", "Most disk space of the journal", allowed="a size in K, M, G or T", pattern=r"^[0-9]+[KMGT]$"
    )
    take_over: tuple[str, ...] = configured(
        (),
        "Hosts with a portal, or data of one, that ckan-deploy did not deploy, to take over although something of it "
        "is lost then",
        allowed="a list of names of hosts",
        example=["portal"],
    )
    leave_behind: tuple[_Path, ...] = configured(
        (),
        "Folders of files or of an object storage that is used no longer, to leave behind although files are in it",
        allowed="a list of absolute paths without blanks",
        example=["/var/lib/ckan/default"],
    )
    minimum_memory: int = configured(1800, "Least memory of a host; less stops the run", unit="MiB", ge=0)
    minimum_space: int = configured(4, "Least free space of the root file system; less stops the run", unit="GiB", ge=0)
