"""A development host's checkouts of DCOR's packages; ``ckan`` installs them editable into its environment."""

from __future__ import annotations

from pyinfra.api import deploy

from operations import apt, files, git
from settings.develop import FOLDER, PACKAGES, DevelopSettings

# What the theme generates when the environment is built.
_GENERATED = ("ckanext/dcor_theme/assets_theme/dcor_main.css", "ckanext/dcor_theme/public/favicon.ico")


@deploy("Develop")
def develop(settings: DevelopSettings) -> None:
    """Have DCOR's packages checked out; CKAN's user reads them."""
    apt.packages(name="Install git", packages=["git"])
    files.directory(name=f"Make {FOLDER}", path=FOLDER)
    git.nothing_in_the_way(
        name="Look for work that a move would lose",
        wanted={f"{FOLDER}/{package}": settings.ref(package) for package in PACKAGES},
        update=settings.update,
    )
    for package in PACKAGES:
        git.checkout(
            name=f"Check out {package}",
            repository=f"{settings.remote}/{package}",
            dest=f"{FOLDER}/{package}",
            ref=settings.ref(package),
            ignored=_GENERATED,
            update=settings.update,
        )


@deploy("Develop")
def develop_no_more() -> None:
    """Remove the checkouts, once nothing runs from them; git itself is of use elsewhere."""
    git.absent(name="Remove DCOR's checkouts", folder=FOLDER, names=PACKAGES)
