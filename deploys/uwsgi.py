"""uWSGI under supervisor: runs CKAN's web application."""

from __future__ import annotations

from pyinfra.api import deploy

from deploys.ckan import CONFIGURATION, ENVIRONMENT, INI, LOGS, WSGI, code
from operations import apt, files, scratch, service, supervisor
from operations.text import render
from settings.ckan import CkanSettings
from settings.dcor import DcorSettings
from settings.releases import Release
from settings.uwsgi import STOP_SECONDS, UwsgiSettings

_PROGRAM = "ckan-uwsgi"
_UWSGI_INI = f"{CONFIGURATION}/ckan-uwsgi.ini"
# Which folder of uploads there is, so that it goes when there is another.
_UPLOADS = "/var/lib/ckan-deploy/uploads/folder"


@deploy("uWSGI")
def uwsgi(settings: UwsgiSettings, ckan: CkanSettings, release: Release, dcor: DcorSettings | None = None) -> None:
    """Run CKAN's web application with its newest code and configuration."""
    units = {
        "postgresql": f"postgresql@{release.postgresql}-main.service",
        "redis": "redis-server.service",
        "solr": "solr.service",
    }
    apt.packages(name="Install supervisor", packages=["supervisor"])
    files.install(
        name="Configure uWSGI",
        dest=_UWSGI_INI,
        text=render("uwsgi/ckan-uwsgi.ini.j2", settings, environment=ENVIRONMENT, wsgi=WSGI),
    )
    files.directory(
        name="Make the folder of uploads on their way", path=settings.uploads, owner="www-data", group="www-data"
    )
    supervisor.program(
        name="Describe uWSGI to supervisor",
        program=_PROGRAM,
        command=f"{ENVIRONMENT}/bin/uwsgi -i {_UWSGI_INI}",
        user="root",  # uWSGI itself becomes www-data, as its ini says
        # /tmp may be small, or memory. Only here: DCOR's jobs have locks in theirs, which must go with a reboot.
        environment={**ckan.program_environment, "TMPDIR": settings.uploads},
        logs=LOGS,
        startsecs=60,
        stopwaitsecs=STOP_SECONDS,
    )
    files.directory(name="Make the folder of supervisor's drop-in", path="/etc/systemd/system/supervisor.service.d")
    files.install(
        name="Start supervisor after CKAN's services",
        dest="/etc/systemd/system/supervisor.service.d/ckan-deploy.conf",
        text=render(
            "uwsgi/supervisor-override.conf.j2",
            units=[units[service] for service in settings.local_services],
            stop_seconds=settings.stop_seconds,
            mounts=dcor.mounts if dcor else (),
        ),
    )
    service.follow(
        name="Run supervisor with its newest configuration",
        unit="supervisor.service",
        reads=["/etc/supervisor/supervisord.conf"],
    )
    supervisor.follow(
        name="Run CKAN with its newest code and configuration",
        programs=[_PROGRAM],
        reads=[*code(ckan), INI, WSGI, _UWSGI_INI],
    )
    scratch.folders(
        name="Remove a former folder of uploads",
        paths=(settings.uploads,),
        owner="www-data",
        group="www-data",
        record=_UPLOADS,
    )
