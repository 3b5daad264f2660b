"""Settings of the component base."""

from __future__ import annotations

from typing import ClassVar

from settings.component import Component, configured


class BaseSettings(Component):
    """What every host of a portal has."""

    prefix: ClassVar[str] = "base"

    admin_tools: bool = configured(
        False, "Install the optional tools of DCOR's manual (aptitude, net-tools, …)", example=True
    )
    journal_limit: str = configured(
        "200M", "Most disk space of the journal", allowed="a size in K, M, G or T", pattern=r"^[0-9]+[KMGT]$"
    )
    minimum_memory: int = configured(1800, "Least memory of a host; less stops the run", unit="MiB", ge=0)
    minimum_space: int = configured(4, "Least free space of the root file system; less stops the run", unit="GiB", ge=0)
