"""What belongs to no component: a host's own address, and where the environment's secrets are."""

from __future__ import annotations

import ipaddress
from typing import Annotated, ClassVar

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from settings.component import REQUIRED, Component, configured, internal


def _ip_address(value: str) -> str:
    try:
        ipaddress.ip_address(value)
    except ValueError as error:
        raise PydanticCustomError("address", "no address") from error
    return value


IpAddress = Annotated[str, AfterValidator(_ip_address)]


class MachineSettings(Component):
    """What each host says of itself, in the inventory."""

    prefix: ClassVar[str] = ""

    address: IpAddress = configured(
        REQUIRED,
        "IP address by which the other hosts and the certificate know it",
        allowed="an IP address",
        example="192.0.2.20",
    )


class SecretsSettings(Component):
    """The environment's secrets: one for all of its hosts."""

    prefix: ClassVar[str] = "secrets"

    folder: str = configured(
        "inventory/secrets", "Folder of the secrets; a relative one is below the checkout", allowed="a path"
    )
    generate: bool = internal(False, "Make secrets that are missing; for throwaway hosts only")
