"""What is around a portal, asked in one command before anything is changed: ports, addresses, names, disks."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address

from pyinfra import host, logger

from deploys.ckan import ENVIRONMENT
from facts.surroundings import Listener, Space, Surroundings, SurroundingsState
from operations import saying
from settings import needs
from settings.host import HostSettings
from settings.needs import Port, Room, Upload
from settings.releases import Release

# What listens on one of our ports and is one of these is replaced or restarted by the run itself.
_OUR_UNITS = ("nginx.service", "redis-server.service", "solr.service", "minio.service")
_CLUSTERS = "postgresql@"
_OUR_CLUSTER = _CLUSTERS + "{}-main.service"
_ALL = ("0.0.0.0", "::")


def surroundings(settings: HostSettings, release: Release | None) -> list[str]:
    """Say what stands in the way; warn of what only may.

    + release: None for a host that is not supported: then nobody knows what is ours there
    """
    mounts = _mounts(settings)
    rooms, uploads = needs.rooms(settings), needs.uploads(settings)
    scratch = settings.dcor.scratch_path if settings.dcor else ""
    ports = needs.ports(settings)
    portal = settings.nginx.fqdn if settings.nginx else ""
    storage = needs.storage_name(settings)
    found = host.get_fact(
        Surroundings,
        names=tuple(sorted({name for name in (portal, storage) if name})),
        ports=tuple(port.number for port in ports),
        mounts=tuple(mounts),
        folders=tuple(
            dict.fromkeys(
                (
                    "/",
                    *(room.folder for room in rooms),
                    *(upload.folder for upload in uploads),
                    *([scratch] if scratch else []),
                )
            )
        ),
        weighed=(scratch,) if scratch else (),
    )
    problems = [
        f"nothing is mounted at {path}, which {mounts[path]} names: mount it (/etc/fstab), or take it out"
        for path in found.unmounted
    ]
    if not found.unmounted:  # else it would be the space of the disk below that is told
        problems += [*_scratch(settings, found), *_rooms(rooms, found.space), *_uploads(uploads, found.space)]
    problems += _addresses(settings, found)
    problems += _storage(storage, found)
    if release:
        problems += [_taken(*pair) for pair in _squatters(ports, found, release)]
    if portal and portal != storage and found.names.get(portal) == "":
        saying.once(
            f"the portal's name {portal} does not resolve on {host.name}: what asks the portal by its name from there "
            "will fail; have it in DNS, or in /etc/hosts",
            logger.warning,
        )
    return problems


def _mounts(settings: HostSettings) -> dict[str, str]:
    """Paths at which something must be mounted, and the settings that say so."""
    named = {
        "minio_mounts": settings.minio.mounts if settings.minio else (),
        "dcor_mounts": settings.dcor.mounts if settings.dcor else (),
    }
    return {path: setting for setting, paths in named.items() for path in paths}


def _scratch(settings: HostSettings, found: SurroundingsState) -> Iterator[str]:
    space = found.space.get(settings.dcor.scratch_path) if settings.dcor else None
    if not settings.dcor or not space:
        return
    path, wanted = settings.dcor.scratch_path, settings.dcor.scratch_space
    there = (space.free + space.used) * 1024 // 10**9
    if there < wanted:
        yield (
            f"{path} has room for {there} GB of temporary files, less than dcor_scratch_space = {wanted}: mount "
            "a larger disk there, choose another folder with dcor_scratch_path, or lower dcor_scratch_space"
        )


def _rooms(rooms: tuple[Room, ...], space: dict[str, Space]) -> Iterator[str]:
    """Say which file systems beside / have too little space; what is on / is that one's business."""
    root = space.get("/")
    for room in rooms:
        there = space.get(room.folder)
        if there and root and there.file_system != root.file_system and there.free < room.mebibytes * 1024:
            yield (
                f"{room.folder} has {there.free // 1024} MiB free, less than the {room.mebibytes} MiB that "
                f"{room.purpose} need: {room.remedy}"
            )


def _uploads(uploads: tuple[Upload, ...], space: dict[str, Space]) -> Iterator[str]:
    """Say on which file systems the largest upload would not find room, in all of its folders there together."""
    known = [upload for upload in uploads if upload.folder in space]
    for file_system in dict.fromkeys(space[upload.folder].file_system for upload in known):
        there = [upload for upload in known if space[upload.folder].file_system == file_system]
        wanted = sum(upload.mebibytes for upload in there)
        free = min(space[upload.folder].free for upload in there) // 1024
        if free < wanted:
            yield (
                f"{', '.join(upload.folder for upload in there)} {'is' if len(there) == 1 else 'are'} on a disk with "
                f"{free} MiB free, but the largest upload (portal_upload_limit) takes {wanted} MiB there on its way: "
                f"lower portal_upload_limit, or choose a larger disk ({', '.join(upload.setting for upload in there)})"
            )


def _addresses(settings: HostSettings, found: SurroundingsState) -> Iterator[str]:
    """Say which addresses are not the host's, where a service would listen on them; warn of others."""
    bound = {
        address: port.service
        for port in reversed(needs.ports(settings))
        for address in port.addresses
        if not ip_address(address).is_loopback and not found.owns(address)
    }
    for address, service in bound.items():
        yield (
            f"{service} would listen on {address}, which is none of its own addresses ({_own(found)}): set `address` "
            "in the inventory to the one by which the other hosts reach it"
        )
    shown = settings.tls.names_addresses if settings.tls and settings.tls.source == "self-signed" else ()
    for address in shown:
        if address not in bound and not found.owns(address):
            saying.once(
                f"{address} is none of the addresses of {host.name} ({_own(found)}), but stands in the portal's "
                "certificate: right where people reach the portal by it (NAT), else set `address` in the inventory",
                logger.warning,
            )


def _own(found: SurroundingsState) -> str:
    own = [ip_address(address) for address in found.addresses]
    kept = [address for address in own if not address.is_loopback and not address.is_link_local]
    return ", ".join(str(address) for address in sorted(kept, key=lambda address: (address.version, int(address))))


def _storage(name: str, found: SurroundingsState) -> Iterator[str]:
    if name and found.names.get(name) == "":
        yield (
            f"the object storage's name {name} does not resolve there, so CKAN would not reach it: have it in DNS, or "
            "in the host's /etc/hosts"
        )


def _squatters(ports: tuple[Port, ...], found: SurroundingsState, release: Release) -> Iterator[tuple[Port, Listener]]:
    """Return who is in the way of one of PORTS, each once."""
    for port in ports:
        seen = set()
        for listener in found.listeners:
            meets = not port.addresses or listener.address in (*_ALL, *port.addresses)
            if listener.port != port.number or not meets or _is_known(port, listener, release):
                continue
            if port.service == "PostgreSQL" and listener.unit.startswith(_CLUSTERS):
                continue  # checks/identity.py says which cluster that is, and whether it has CKAN's data
            if listener.pid not in seen:
                seen.add(listener.pid)
                yield port, listener


def _is_known(port: Port, listener: Listener, release: Release) -> bool:
    """Whether LISTENER is of a service that the run configures, on this PORT or still on another."""
    if port.service == "PostgreSQL" and listener.unit.startswith("postgresql@"):
        return True  # of another cluster deploys/checks/identity.py says more
    units = (*_OUR_UNITS, _OUR_CLUSTER.format(release.postgresql))
    # Of supervisor's programs those of CKAN's environment, which is a link to one of two folders.
    return listener.unit in units or listener.executable.startswith((f"{ENVIRONMENT}/", f"{ENVIRONMENT}."))


def _taken(port: Port, listener: Listener) -> str:
    move = f", or set {port.setting} to a free port" if port.setting else ""
    if not listener.pid:
        who, end = "a process that cannot be seen from there (a container's, perhaps)", "end it"
    else:
        of = f", {listener.unit}" if listener.unit else ""
        who = f"{listener.program} (process {listener.pid}{of})"
        end = f"stop and disable {listener.unit}" if listener.unit.endswith((".service", ".socket")) else "end it"
    return f"port {port.number}, which {port.service} needs, is taken by {who}: {end}{move}"
