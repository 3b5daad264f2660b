"""The lab's hosts, from its state: `python -m lab up portal` makes one.

A host named after a group (redis, solr, postgresql, object-storage) is that group's; of those without one a host named
`services` has all but the portal and the object storage; all other groups are on the host `portal`. Hosts with other
names are in no group.
"""

from lab.deb_build import checksum as _deb_checksum
from lab.deb_build import name as _deb_name
from lab.minio_build import MINIO_VERSION as _MINIO
from lab.minio_build import checksum as _minio_checksum
from lab.mirror import folder as _mirror_folder
from lab.mirror import url as _mirror_url
from lab.solr_build import SOLR_VERSION as _SOLR
from lab.state import hosts as _hosts
from lab.state import secrets_path as _secrets_path

_sha512 = _mirror_folder() / "solr" / _SOLR / f"solr-{_SOLR}.tgz.sha512"

_data = {
    host.name: {
        "address": host.address,
        "ssh_hostname": host.address,
        "ssh_user": host.ssh_user,
        "ssh_key": str(host.ssh_key),
        "ssh_known_hosts_file": str(host.known_hosts),
        "ssh_strict_host_key_checking": "yes",
        "secrets_folder": str(_secrets_path()),
        "secrets_generate": True,
    }
    for host in _hosts()
}


def _solr() -> dict[str, object]:
    """The lab's own Solr, assembled from Maven artefacts: `python -m lab mirror solr`."""
    return {
        "solr_mirror": f"{_mirror_url()}/solr",
        "solr_version": _SOLR,
        "solr_sha512": _sha512.read_text().split()[0] if _sha512.exists() else "",
    }


def _minio() -> dict[str, object]:
    """The lab's own MinIO, built from its source: `python -m lab mirror minio`."""
    sha256 = _minio_checksum()
    return {"minio_mirror": f"{_mirror_url()}/minio", "minio_version": _MINIO, "minio_sha256": sha256} if sha256 else {}


def _deb(name: str) -> dict[str, object]:
    """The lab's stand-in for CKAN's package, for ckan_source = "deb": `python -m lab mirror deb`."""
    release = next(host.release for host in _hosts() if host.name == name)
    return {
        "ckan_deb_url": f"{_mirror_url()}/ckan/{_deb_name(release)}",
        "ckan_deb_sha256": _deb_checksum(release),
    }


def _group(service: str) -> list[tuple[str, dict[str, object]]]:
    # An object storage on a host of its own needs a certificate of its own: docs/object-storage.md.
    places = {"portal": ("portal",), "object_storage": ("object-storage", "portal")}.get(
        service, (service, "services", "portal")
    )
    found = [(name, dict(_data[name])) for name in places if name in _data][:1]
    for _, data in found if service == "solr" else []:
        data |= _solr()
    for name, data in found if service == "portal" else []:
        data |= _deb(name)
    for _, data in found if service == "object_storage" else []:
        data |= _minio()
    return found


portal = _group("portal")
postgresql = _group("postgresql")
redis = _group("redis")
solr = _group("solr")
object_storage = _group("object_storage")
