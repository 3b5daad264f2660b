"""Settings of the component base."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, ClassVar

from pydantic import Field

from settings.component import Component, configured, derived

_LEAST = 1800  # MiB; a host with 2 GiB has a bit more
# Of a DCOR's portal: with all of these on its host it takes 1,850 MiB while nobody uses it.
_LEAST_WITH_DCOR = {"postgresql": 200, "solr": 500, "object_storage": 200}
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
    proxy: str = configured(
        "",
        "Forward proxy by which the host reaches the world: for apt, pip, git and downloads, by runs and by automatic "
        "updates; empty: it needs none, or the host's own settings say which",
        allowed="a URL as http://NAME:PORT, without a password, or empty",
        example="http://proxy.example.org:3128",
        pattern=r"^(http://([A-Za-z0-9.-]+|\[[0-9a-f:]+\]):[0-9]{1,5}/?)?$",
    )
    no_proxy: tuple[Annotated[str, Field(pattern=r"^\.?[A-Za-z0-9:]([A-Za-z0-9.:-]*[A-Za-z0-9:])?$")], ...] = (
        configured(
            (),
            "More names and addresses that no proxy is asked for, whoever set it: mirrors in the own network",
            allowed="a list of host names, domains as .example.org, and IP addresses",
            example=["mirror.example.org", ".intern.example.org"],
        )
    )
    direct: tuple[str, ...] = derived(
        "What no proxy is asked for",
        "loopback, the addresses of all hosts, the portal's names and the object storage's, and base_no_proxy",
        "base_no_proxy address portal_fqdn nginx_aliases object_storage_fqdn object_storage_endpoint",
    )
    minimum_memory: int | None = configured(
        None,
        f"Least memory of a host; less stops the run; None: {_LEAST}, and up to {sum(_LEAST_WITH_DCOR.values())} more "
        "where services are on the host of a DCOR portal",
        unit="MiB",
        allowed="a whole number of at least 0, or None",
        example=4000,
        ge=0,
        inputs="portal_flavour groups",
    )
    minimum_space: int = configured(
        4,
        "Least free space of the root file system, and of those of /var and MinIO's data where they have their own; "
        "less stops the run",
        unit="GiB",
        ge=0,
    )

    @property
    def without_proxy(self) -> dict[str, str]:
        """Variables that keep programs from asking a proxy for the portal's own services; they come in both cases."""
        return dict.fromkeys(("NO_PROXY", "no_proxy"), ",".join(self.direct))

    @property
    def variables(self) -> dict[str, str]:
        """Variables of all commands of a run; /etc/environment may have others."""
        names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy") if self.proxy else ()
        # Temporary files may be large (pip's): /tmp may be memory, /var/tmp is a disk.
        return {**dict.fromkeys(names, self.proxy), **self.without_proxy, "TMPDIR": "/var/tmp"}


def least_memory(flavour: str, services: Iterable[str]) -> int:
    """MiB of memory that a host needs.

    + services: names of the groups that it is in
    """
    names = set(services)
    more = _LEAST_WITH_DCOR if flavour == "dcor" and "portal" in names else {}
    return _LEAST + sum(size for service, size in more.items() if service in names)
