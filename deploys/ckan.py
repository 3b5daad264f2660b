"""CKAN itself: environment, configuration, folders, database and first sysadmin."""

from __future__ import annotations

from pyinfra.api import deploy

from deploys.object_storage import use
from operations import apt, ckan_identity, ckan_sysadmin, deb, download, files, python
from operations import ckan as ckan_operations
from operations.text import Text, render
from settings.ckan import INI_PATH, CkanSettings
from settings.ckan_ini import sections
from settings.dcor import DcorSettings
from settings.develop import FOLDER, PACKAGES
from settings.locks import lock
from settings.object_storage import CA_BUNDLE, ObjectStorageSettings
from settings.releases import Release

ENVIRONMENT = "/usr/lib/ckan/default"
CONFIGURATION = "/etc/ckan/default"
INI = INI_PATH
WSGI = f"{CONFIGURATION}/wsgi.py"
LOGS = "/var/log/ckan"
_DEB = "python-ckan"
_DEB_FILE = f"/var/cache/ckan-deploy/{_DEB}.deb"
_TOKEN = f"{CONFIGURATION}/sysadmin-token"

# libmagic and libpq5 are used at run time; the others build the packages of the lock that have no wheel.
_PACKAGES = ("gcc", "libc6-dev", "libpq-dev", "libpq5", "python3-dev", "python3-venv")


def environment_lock(settings: CkanSettings, release: Release) -> str:
    """Text of the complete lock for this portal: the flavour's, and what the site's extensions add."""
    extra = [line for extension in settings.extensions for line in extension.requirements]
    name = "dcor-dev" if settings.develop else settings.flavour
    return "\n".join((lock(name, release.python).rstrip("\n"), *extra, ""))


def editable(settings: CkanSettings) -> dict[str, str]:
    """Packages that are installed from folders, as ``develop`` made them: path by name."""
    return {package: f"{FOLDER}/{package}" for package in PACKAGES} if settings.develop else {}


def code(settings: CkanSettings) -> list[str]:
    """Return where the code of CKAN's processes is, and what certificates it trusts."""
    return [
        ENVIRONMENT,
        *([CA_BUNDLE] if settings.flavour == "dcor" else []),
        *(f"{path}/{'ckanext' if name.startswith('ckanext') else name}" for name, path in editable(settings).items()),
    ]


def packages_of_schemas(settings: CkanSettings, release: Release) -> str:
    """Folder in which DCOR's schemas, with their licenses, are installed."""
    return editable(settings).get("ckanext-dcor_schemas", f"{ENVIRONMENT}/lib/python{release.python}/site-packages")


def configuration(
    settings: CkanSettings,
    release: Release,
    dcor: DcorSettings | None = None,
    storage: ObjectStorageSettings | None = None,
) -> Text:
    """Text of ckan.ini."""
    packages = packages_of_schemas(settings, release)
    return render("ckan/ckan.ini.j2", settings, sections=sections(settings, dcor, storage, packages=packages))


@deploy("CKAN")
def ckan(
    settings: CkanSettings,
    release: Release,
    dcor: DcorSettings | None = None,
    storage: ObjectStorageSettings | None = None,
) -> None:
    """Install and configure CKAN; ``uwsgi`` runs it.

    + dcor: of the flavour dcor, as is storage; the component ``dcor`` has what is DCOR's alone
    """
    packages = environment_lock(settings, release)
    location = settings.database_location

    apt.packages(name="Install what CKAN's packages need", packages=[*_PACKAGES, release.libmagic_package])
    for folder in ("/etc/ckan", CONFIGURATION):
        files.directory(name=f"Make {folder}", path=folder)
    files.directory(name=f"Make {LOGS}", path=LOGS, owner="www-data", group="adm")
    # CKAN itself makes these two when it needs them; `dcor inspect` wants them to be there.
    of_dcor = (f"{settings.storage}/resources", f"{settings.storage}/storage") if dcor else ()
    for folder in ("/var/lib/ckan", settings.storage, *of_dcor, settings.webassets_path):
        files.directory(
            name=f"Make {folder}",
            path=folder,
            owner="www-data",
            group="www-data",
            mode=settings.of_flavour.folder_mode,
        )
    look = render("dcor/brand.py.j2").secret if dcor else ""
    if settings.source == "deb":
        _environment_of_deb(settings, release, packages, look)
    else:
        python.environment(
            name="Build CKAN's environment",
            path=ENVIRONMENT,
            lock=packages,
            editable=editable(settings),
            finish=look,
        )
        deb.absent(name="Take CKAN's package off the books", package=_DEB, path=ENVIRONMENT)
        files.absent(name="Remove CKAN's package", path=_DEB_FILE)
    if storage:
        use(settings=storage, environment=ENVIRONMENT, release=release)
    # Of a package that somebody installed by hand; where we install it, it does not bring them.
    for left in ("/etc/cron.daily/remove_old_sessions", "/etc/nginx/sites-available/ckan"):
        files.absent(name=f"Remove {left}", path=left)

    files.install(
        name="Configure CKAN",
        dest=INI,
        text=configuration(settings, release, dcor, storage),
        group="www-data",
        mode=0o640,
    )
    files.install(name="Install CKAN's entry for uWSGI", dest=WSGI, text=render("ckan/wsgi.py.j2", ini=INI))
    files.install(
        name="Install the command ckan",
        dest="/usr/bin/ckan",
        text=render("ckan/ckan.sh.j2", environment=ENVIRONMENT, ini=INI, variables=settings.program_variables),
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
    ckan_identity.recorded(name="Note which database CKAN has", path=ENVIRONMENT, ini=INI, location=location)


def _environment_of_deb(settings: CkanSettings, release: Release, packages: str, look: str) -> None:
    """Build the environment out of CKAN's own package, and bring it to what PACKAGES, a lock, says."""
    checksum = f"sha256:{settings.deb_sha256}"
    # What the package depends on; nginx is not started before it is configured.
    apt.packages(name="Install what CKAN's package needs", packages=["curl", "libpq5", "nginx", "nginx-common"])
    download.file(
        name="Download CKAN's package",
        url=settings.deb_address,
        dest=_DEB_FILE,
        checksum=checksum,
        hint=(
            "CKAN's packagers overwrite the file of a minor version with each patch release; choose the asset of a "
            "release of https://github.com/ckan/ckan-packaging for ckan_deb_url, or check the new package and set "
            f"ckan_deb_sha256; it must be of CKAN {settings.version}, or the checkout's lock be another, too"
        ),
    )
    deb.environment(
        name="Build CKAN's environment",
        path=ENVIRONMENT,
        lock=packages,
        archive=_DEB_FILE,
        checksum=checksum,
        package=_DEB,
        version=settings.version,
        release=release.codename,
        finish=look,
    )
