"""What the components of one host need of it: ports, addresses, names, room on disks."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from settings.host import HostSettings

LOOPBACK = "127.0.0.1"
_IN_TMP = 100  # MiB: packages' scripts and the run's own files


@dataclass(frozen=True)
class Port:
    """A TCP port of a host's.

    + service: who listens there
    + setting: that moves it; empty where none does
    + addresses: at which; empty: at all
    """

    number: int
    service: str
    setting: str = ""
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Room:
    """Space that a folder needs, and for what; and what to do where it is not there."""

    folder: str
    mebibytes: int
    purpose: str
    remedy: str


@dataclass(frozen=True)
class Upload:
    """A folder that the largest upload passes, MiB that it takes there, and the setting that moves the folder."""

    folder: str
    mebibytes: int
    setting: str


def ports(settings: HostSettings) -> tuple[Port, ...]:
    """Return the ports on which the host's services listen."""
    found = []
    if settings.nginx:
        found += [Port(80, "nginx"), Port(443, "nginx")]
    if settings.uwsgi:
        found.append(Port(settings.uwsgi.port, "uWSGI", "uwsgi_port", (LOOPBACK,)))
    if settings.postgresql:
        found.append(Port(settings.postgresql.port, "PostgreSQL", "postgresql_port", settings.postgresql.bind))
    if settings.redis:
        found.append(Port(settings.redis.port, "Redis", "redis_port", settings.redis.bind))
    if solr := settings.solr:
        found.append(Port(solr.port, "Solr", "solr_port", (solr.bind,)))
        found.append(Port(solr.port - 1000, "Solr's order to stop", "solr_port", (LOOPBACK,)))
    if minio := settings.minio:
        found.append(Port(minio.port, "MinIO", "minio_port"))
        found.append(Port(minio.console_port, "MinIO's console", "minio_console_port", (LOOPBACK,)))
    return tuple(found)


def storage_name(settings: HostSettings) -> str:
    """Name of the object storage, which the portal's host must be able to look up; empty where there is none."""
    storage = settings.object_storage
    return urlsplit(storage.endpoint).hostname or "" if storage and settings.dcor else ""


def uploads(settings: HostSettings) -> tuple[Upload, ...]:
    """Return where the largest upload is on its way through nginx, uWSGI and CKAN, at the end everywhere at once."""
    if not (settings.nginx and settings.uwsgi and settings.ckan):
        return ()
    limit = settings.uwsgi.upload_limit
    return (
        Upload(settings.nginx.cache_dir, limit, "nginx_cache_dir"),
        Upload(settings.uwsgi.uploads, 2 * limit, "uwsgi_scratch_path"),
        Upload(settings.ckan.storage, limit, "ckan_storage_path"),
    )


def rooms(settings: HostSettings) -> tuple[Room, ...]:
    """Return the space that folders need, /'s apart."""
    base = "choose another host or disk, or lower base_minimum_space"
    least = settings.base.minimum_space * 1024
    found = [
        Room("/tmp", _IN_TMP, "temporary files", "make room there, or mount a larger file system"),
        Room("/var", least, "data and packages (base_minimum_space)", base),
    ]
    if settings.minio:
        found.append(Room(settings.minio.data, least, "objects (base_minimum_space)", base))
    return tuple(found)
