"""CKAN itself: environment, configuration, folders, database and first sysadmin."""

from __future__ import annotations

from pyinfra.api import deploy

from operations import apt, ckan_sysadmin, files, python
from operations import ckan as ckan_operations
from operations.text import render
from settings.ckan import CkanSettings
from settings.locks import lock
from settings.releases import Release

ENVIRONMENT = "/usr/lib/ckan/default"
CONFIGURATION = "/etc/ckan/default"
INI = f"{CONFIGURATION}/ckan.ini"
WSGI = f"{CONFIGURATION}/wsgi.py"
LOGS = "/var/log/ckan"
_TOKEN = f"{CONFIGURATION}/sysadmin-token"

# libmagic and libpq5 are used at run time; the others build the packages of the lock that have no wheel.
_PACKAGES = ("gcc", "libc6-dev", "libpq-dev", "libpq5", "python3-dev", "python3-venv")


def environment_lock(settings: CkanSettings, release: Release) -> str:
    """Text of the complete lock for this portal: the flavour's, and what the site's extensions add."""
    extra = [line for extension in settings.extensions for line in extension.requirements]
    return "\n".join((lock("ckan", release.python).rstrip("\n"), *extra, ""))


@deploy("CKAN")
def ckan(settings: CkanSettings, release: Release) -> None:
    """Install and configure CKAN; ``uwsgi`` runs it."""
    packages = environment_lock(settings, release)
    location = settings.database_location

    # The seam for `ckan_source = "deb"`: a package would bring the environment, and the lock be kept in it with
    # python.environment(extra=True).
    apt.packages(name="Install what CKAN's packages need", packages=[*_PACKAGES, release.libmagic_package])
    python.environment(name="Build CKAN's environment", path=ENVIRONMENT, lock=packages)

    for folder in ("/etc/ckan", CONFIGURATION):
        files.directory(name=f"Make {folder}", path=folder)
    files.directory(name=f"Make {LOGS}", path=LOGS, owner="www-data", group="adm")
    for folder in ("/var/lib/ckan", settings.storage_path, settings.webassets_path):
        files.directory(name=f"Make {folder}", path=folder, owner="www-data", group="www-data", mode=0o750)
    files.install(
        name="Configure CKAN",
        dest=INI,
        text=render("ckan/ckan.ini.j2", settings),
        group="www-data",
        mode=0o640,
    )
    files.install(name="Install CKAN's entry for uWSGI", dest=WSGI, text=render("ckan/wsgi.py.j2", ini=INI))
    files.install(
        name="Install the command ckan",
        dest="/usr/bin/ckan",
        text=render("ckan/ckan.sh.j2", environment=ENVIRONMENT, ini=INI),
        mode=0o755,
    )
    files.install(
        name="Know CKAN in every login",
        dest="/etc/profile.d/ckan.sh",
        text=render("ckan/profile.sh.j2", ini=INI),
    )
    files.install(name="Rotate CKAN's logs", dest="/etc/logrotate.d/ckan", text=render("ckan/logrotate.j2", logs=LOGS))

    ckan_operations.database(
        name="Apply CKAN's pending migrations",
        path=ENVIRONMENT,
        ini=INI,
        plugins=settings.all_plugins,
        lock=packages,
        location=location,
    )
    if settings.sysadmin and settings.sysadmin_password is not None:
        ckan_sysadmin.sysadmin(
            name="Make the first sysadmin",
            path=ENVIRONMENT,
            ini=INI,
            user=settings.sysadmin,
            email=settings.sysadmin_email,
            password=settings.sysadmin_password,
            location=location,
            secret_key=settings.secret_key,
            token=_TOKEN if settings.sysadmin_token else "",
        )
    if not (settings.sysadmin and settings.sysadmin_token):
        # Of no use to anybody any more; in CKAN itself it is revoked by hand.
        files.absent(name="Remove the sysadmin's token", path=_TOKEN)
    ckan_operations.search_index(
        name="Have all datasets in the search index",
        path=ENVIRONMENT,
        ini=INI,
        url=settings.solr_url,
        site=settings.site_id,
        schema=settings.solr_schema,
        location=location,
        seconds=settings.reindex_seconds,
    )
