"""Settings of the component develop."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from settings.component import Component, configured, derived, internal
from settings.locks import lock, version
from settings.rule import Clash, View

FOLDER = "/dcor-repos"
# As their repositories are named; each needs those before it, or none.
PACKAGES = (
    "dcor_shared",
    "ckanext-dc_log_view",
    "ckanext-dc_serve",
    "ckanext-dc_view",
    "ckanext-dcor_depot",
    "ckanext-dcor_schemas",
    "ckanext-dcor_theme",
    "dcor_control",
)
_Package = Annotated[str, Field(pattern=f"^({'|'.join(PACKAGES)})$")]
_Ref = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/+-]*$")]


def _without_login(remote: str) -> str:
    address = urlsplit(remote)
    if address.scheme in ("http", "https") and "@" in address.netloc:
        raise ValueError(
            "a name or password in it would be readable on the host, in .git/config and among the processes; leave it "
            "out, and tell git there by its own insteadOf"
        )
    return remote


class DevelopSettings(Component):
    """A development host (flavour dcor only): DCOR's own packages come from git, editable, in /dcor-repos.

    What is checked out there stays so until another ref is set, or `python -m tasks.develop` moves it; work in it is
    never lost. See docs/environments.md.
    """

    prefix: ClassVar[str] = "develop"
    group: ClassVar[str] = "portal"

    enabled: bool = configured(
        False, "Take DCOR's packages from git, and what their tests need; never on a production portal", example=True
    )
    refs: dict[_Package, _Ref] = configured(
        {},
        "Tags, branches or commits of these packages; those of the others are the tags of the locked versions",
        allowed=f"a dictionary of refs, its keys of {', '.join(PACKAGES)}",
        example={"ckanext-dc_serve": "master"},
    )
    remote: Annotated[str, AfterValidator(_without_login)] = configured(
        "https://github.com/DCOR-dev",
        "Where the repositories are, each below it under its name",
        allowed="an address that git knows, without a slash at its end",
        example="https://git.example.org/dcor",
        pattern=r"^[a-zA-Z0-9][^\s/]*:\S*[^\s/]$",
    )
    update: bool = internal(False, "Fetch, and move to the newest of each ref; set by tasks.develop for one run")

    tags: dict[str, str] = derived("Tags of the packages' locked versions", "as in locks/", "locks")

    def ref(self, package: str) -> str:
        """What is to be checked out of PACKAGE."""
        return self.refs.get(package) or self.tags[package]


def locked_tags() -> dict[str, str]:
    """Return the tags of the locked versions; all locks of the flavour hold the same."""
    text = lock("dcor", "3.12")
    return {package: version(text, package.lower().replace("_", "-")) for package in PACKAGES}


def needs_dcor(view: View) -> Iterator[Clash]:
    """Plain CKAN has none of these packages."""
    if view["develop_enabled"] and view["portal_flavour"] != "dcor":
        yield Clash(
            ("develop_enabled", "portal_flavour"),
            "a plain CKAN has none of DCOR's packages; set portal_flavour = 'dcor', or remove develop_enabled",
        )


RULES = (needs_dcor,)
