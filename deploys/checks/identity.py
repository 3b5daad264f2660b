"""A portal does not come up empty because another PostgreSQL cluster or database stands at the address of its own."""

from __future__ import annotations

from pyinfra import host
from pyinfra.api import Host

from deploys.ckan import ENVIRONMENT, INI
from facts.ckan_data import Location
from facts.ckan_identity import Identity, RecordedDatabase
from facts.cluster import Cluster, Clusters, ClustersState, Held, Record, Recorded
from facts.host import Basics
from facts.postgresql import Database
from operations import ckan_identity
from settings.ckan import CkanSettings
from settings.host import HostSettings
from settings.postgresql import PostgresqlSettings
from settings.releases import RELEASES, Release


def another_database(settings: HostSettings, release: Release) -> str:
    """Say so when a run would go on with another database than that of the last run; empty when it would not."""
    problem = _cluster(settings.postgresql, release) if settings.postgresql else ""
    if not problem and settings.ckan:
        problem = _of_portal(settings.ckan)
    return problem


def _cluster(settings: PostgresqlSettings, release: Release) -> str:
    """Look at the host of PostgreSQL: the cluster that it would use, against the one that the last run set up."""
    name = f"{release.postgresql}/main"
    state = host.get_fact(Clusters, cluster=name)
    record = host.get_fact(Recorded, database=settings.database)
    current = state.find(name)
    if current and not current.system and not state.making:
        return (
            f"the data of its PostgreSQL cluster {name} is not in {current.data}, where its configuration has it: is a "
            f"disk not mounted? To begin with an empty cluster, move /etc/postgresql/{name} away"
        )
    if record and not (current and record.is_of(current)):
        former = _former(record, state, current)
        known = record.system or (former.system if former else record.data)
        if _moved(host, current, settings.database):
            ckan_identity.will_be_another(empty=False)
        elif known == settings.leave_behind:
            ckan_identity.will_be_another(empty=True)
        else:
            there = f"is number {current.system}" if current else "is not there"
            was = f"is {_what(former)}" if former else f"with its data in {record.data}, is gone"
            return (
                f"its PostgreSQL cluster {name} {there}, while that of the last run {was}: a run would make an empty "
                f"database; {_way_back(name, former)}, or {_leave(known)}"
            )
    elif record and current and current.runs:
        database = host.get_fact(Database, database=settings.database, port=settings.port)
        dropped = f"{current.system}/{settings.database}"
        if database.asked and not database.exists and dropped != settings.leave_behind:
            return (
                f"the database {settings.database} of the last run is no longer in its PostgreSQL cluster {name} "
                f"({_what(current)}), and a run would make an empty one: put it back from a backup, or go on without "
                f'it with ckan_database_leave_behind = "{dropped}"'
            )
        if database.asked and not database.exists:
            ckan_identity.will_be_another(empty=True)
    return _port_taken(name, state, settings.port)


def _of_portal(settings: CkanSettings) -> str:
    """Look at the portal: the database at its address, against the one that the last run noted."""
    state = host.get_fact(Identity, path=ENVIRONMENT, ini=INI, record=ckan_identity.RECORD)
    record, present = state.recorded, state.present
    if record is None or not record.location == settings.database_location == host.get_fact(Location, ini=INI):
        return ""  # at another address: whether data is left behind is asked elsewhere
    if present is None:
        return _unanswered(settings, record)
    if not state.another:
        return ""
    same = present.system == record.system
    name = f"{record.system}/{settings.database_name}" if same else record.system
    if present.kept or settings.database_leave_behind == name:
        ckan_identity.will_be_another(empty=not present.kept)
        return ""
    return (
        f"the database at {record.location} is not that of the last run, and does not hold its data: it is in "
        f"PostgreSQL's cluster number {present.system}, that one was number {record.database} in cluster number "
        f"{record.system}; put it back, or {_leave(name)}"
    )


def _unanswered(settings: CkanSettings, record: RecordedDatabase) -> str:
    """Look at the cluster itself, where CKAN's role gets no answer: a new one does not know it yet."""
    for other in host.inventory.get_group("postgresql", []):
        basics = other.get_fact(Basics) if other.connected else None
        if basics is None or basics.codename not in RELEASES:
            continue  # not in this run, so nothing is made there
        name = f"{RELEASES[basics.codename].postgresql}/main"
        current = other.get_fact(Clusters, cluster=name).find(name)
        if current and current.system == record.system:
            continue
        moved = _moved(other, current, settings.database_name)
        if moved or settings.database_leave_behind == record.system:
            ckan_identity.will_be_another(empty=not moved)
            continue
        there = f"PostgreSQL's cluster {_what(current)}" if current else f"no PostgreSQL cluster {name}"
        return (
            f"{other.name} has {there}, while the database of the last run at {record.location} was in cluster number "
            f"{record.system}: a run would make an empty one; put that one back, or {_leave(record.system)}"
        )
    return ""


def _former(record: Record, state: ClustersState, current: Cluster | None) -> Cluster | None:
    """Find the cluster of RECORD among the others; an old record, without a number, fits all that are older."""
    others = [cluster for cluster in state.clusters if cluster != current]
    fitting = [cluster for cluster in others if record.is_of(cluster)]
    if not fitting and not record.system:
        fitting = [cluster for cluster in others if 0 < cluster.made <= record.noted]
    return next(iter(fitting), None)


def _moved(place: Host, current: Cluster | None, database: str) -> bool:
    """Whether data of CKAN's are in DATABASE of a cluster that no run has set up: somebody has moved them."""
    if current is None or not current.runs:
        return False
    return place.get_fact(Held, database=database, port=current.port) not in (None, (0, 0))


def _port_taken(name: str, state: ClustersState, port: int) -> str:
    """Say so when another cluster runs on the port that ours will have."""
    for cluster in state.clusters:
        if cluster.name != name and cluster.runs and cluster.port == port:
            return (
                f"its PostgreSQL cluster {cluster.name} has the port {port}: choose another for CKAN's cluster with "
                f"postgresql_port, or give that one another (`pg_conftool {cluster.name.replace('/', ' ')} set port "
                f"{port + 1}`, and restart it)"
            )
    return ""


def _what(cluster: Cluster) -> str:
    runs = f"runs on port {cluster.port}" if cluster.runs else "does not run"
    return f"{cluster.name} (number {cluster.system}, data in {cluster.data}, {runs})"


def _way_back(name: str, former: Cluster | None) -> str:
    """Say how the data come to the cluster NAME, or how the former one becomes it."""
    if former is None:
        return "put that one back from a backup"
    (wanted, _), (version, called) = name.split("/"), former.name.split("/")
    if version != wanted:
        return f"move its data with `pg_upgradecluster -v {wanted} {version} {called}`, as docs/upgrading.md has it"
    return f"make {former.name} {name} again, as docs/upgrading.md has it"


def _leave(name: str) -> str:
    return f'leave it behind with ckan_database_leave_behind = "{name}"'
