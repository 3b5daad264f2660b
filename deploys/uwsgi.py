"""uWSGI under supervisor: runs CKAN's web application."""

from __future__ import annotations

from pyinfra.api import deploy

from deploys.ckan import CONFIGURATION, ENVIRONMENT, INI, LOGS, WSGI
from operations import apt, files, python, service, supervisor
from operations.text import render
from settings.releases import Release
from settings.uwsgi import UwsgiSettings

_PROGRAM = "ckan-uwsgi"
_UWSGI_INI = f"{CONFIGURATION}/ckan-uwsgi.ini"


@deploy("uWSGI")
def uwsgi(settings: UwsgiSettings, release: Release) -> None:
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
    supervisor.program(
        name="Describe uWSGI to supervisor",
        program=_PROGRAM,
        command=f"{ENVIRONMENT}/bin/uwsgi -i {_UWSGI_INI}",
        user="root",  # uWSGI itself becomes www-data, as its ini says
        environment={"CKAN_INI": INI, "PYTHONUNBUFFERED": "1"},
        logs=LOGS,
        startsecs=60,
        stopwaitsecs=60,
    )
    files.directory(name="Make the folder of supervisor's drop-in", path="/etc/systemd/system/supervisor.service.d")
    files.install(
        name="Start supervisor after CKAN's services",
        dest="/etc/systemd/system/supervisor.service.d/ckan-deploy.conf",
        text=render("uwsgi/supervisor-override.conf.j2", units=[units[service] for service in settings.local_services]),
    )
    service.follow(
        name="Run supervisor with its newest configuration",
        unit="supervisor.service",
        reads=["/etc/supervisor/supervisord.conf"],
    )
    supervisor.follow(
        name="Run CKAN with its newest code and configuration",
        program=_PROGRAM,
        reads=[ENVIRONMENT, INI, WSGI, _UWSGI_INI],
    )
    python.former_absent(name="Remove the former environment of CKAN", path=ENVIRONMENT)
