"""PostgreSQL: CKAN's database."""

from __future__ import annotations

from ipaddress import ip_network

from pyinfra.api.deploy import deploy

from operations import apt, cluster, files, service
from operations import postgresql as server
from operations.text import render
from settings.postgresql import PostgresqlSettings
from settings.releases import Release

_NEW_CLUSTERS = "/etc/postgresql-common/createcluster.d"
_LOOPBACK = ("127.0.0.1", "::1")


@deploy("PostgreSQL")
def postgresql(settings: PostgresqlSettings, release: Release) -> None:
    """Install PostgreSQL and set up CKAN's role and database.

    + release: tells the version, which is the distribution's
    """
    configuration = f"/etc/postgresql/{release.postgresql}/main"
    unit = f"postgresql@{release.postgresql}-main.service"

    files.directory(name="Make the folder of what new clusters get", path=_NEW_CLUSTERS)
    files.install(
        name="Keep PostgreSQL's package from making a cluster",
        dest=f"{_NEW_CLUSTERS}/ckan-deploy.conf",
        text=render("postgresql/createcluster.conf.j2"),
    )

    apt.packages(
        name="Install PostgreSQL",
        packages=[f"postgresql-{release.postgresql}", f"postgresql-client-{release.postgresql}"],
    )
    cluster.made(name="Make PostgreSQL's cluster", cluster=f"{release.postgresql}/main", port=settings.port)

    files.directory(name="Make PostgreSQL's drop-in folder", path=f"/etc/systemd/system/{unit}.d")
    files.install(
        name="Start PostgreSQL after the network",
        dest=f"/etc/systemd/system/{unit}.d/ckan-deploy.conf",
        text=render("systemd/after-network.conf.j2"),
    )
    files.install(
        name="Configure PostgreSQL",
        dest=f"{configuration}/conf.d/ckan-deploy.conf",
        text=render("postgresql/ckan-deploy.conf.j2", settings),
        owner="postgres",
        group="postgres",
    )
    files.install(
        name="Configure who may connect to PostgreSQL",
        dest=f"{configuration}/pg_hba.conf",
        text=render(
            "postgresql/pg_hba.conf.j2",
            settings,
            networks=[_network(address) for address in (*_LOOPBACK, *sorted(settings.clients))],
        ),
        owner="postgres",
        group="postgres",
        mode=0o640,
    )

    service.follow(
        name="Run PostgreSQL with its newest configuration",
        unit=unit,
        reads=[f"{configuration}/conf.d", f"{configuration}/postgresql.conf"],
    )
    service.follow(
        name="Reload PostgreSQL when who may connect changes",
        unit=unit,
        reads=[f"{configuration}/pg_hba.conf"],
        reload=True,
    )
    # The unit that starts all clusters at boot. Last, because its start would start the cluster, too.
    service.follow(name="Start PostgreSQL at boot", unit="postgresql.service")

    server.role(name="Set up CKAN's database role", role=settings.role, password=settings.password, port=settings.port)
    server.database(name="Set up CKAN's database", database=settings.database, owner=settings.role, port=settings.port)


def _network(address: str) -> str:
    """Return ADDRESS as pg_hba.conf wants it: an IP address with its mask, a host name as it is."""
    try:
        return str(ip_network(address))
    except ValueError:
        return address
