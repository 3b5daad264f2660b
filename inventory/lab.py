"""The lab's hosts, from its state: `python -m lab up portal` makes one.

A host named after a group (redis, solr, postgresql) is that group's; of those without one a host named `services` has
all but the portal; all other groups are on the host `portal`. Hosts with other names are in no group.
"""

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


def _group(service: str) -> list[tuple[str, dict[str, object]]]:
    places = ("portal",) if service == "portal" else (service, "services", "portal")
    found = [(name, dict(_data[name])) for name in places if name in _data][:1]
    for _, data in found if service == "solr" else []:
        data |= _solr()
    return found


portal = _group("portal")
postgresql = _group("postgresql")
redis = _group("redis")
solr = _group("solr")
object_storage: list[tuple[str, dict[str, object]]] = []
