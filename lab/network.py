"""The lab's network on the controller: a bridge, its address range, masquerading, forwarding."""

import ipaddress
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab import paths, sources, system
from lab.errors import LabError

FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
# What ip_forward was before the first lab of this controller; shared by all labs on it.
FORWARD_BEFORE = paths.RUN / "ckan-deploy-lab.ip_forward"
FIRST = 10  # the last number of the first host's address


@dataclass(frozen=True)
class Network:
    """The range of a lab, e.g. `198.51.100.0/24`, and the MTU that its links take from the uplink."""

    subnet: str
    mtu: int

    @property
    def gateway(self) -> str:
        """The controller's address on the bridge."""
        return str(ipaddress.ip_network(self.subnet)[1])


def _file() -> Path:
    return paths.state() / "network.json"


def current() -> Network | None:
    """This lab's network, or None while it has no host."""
    if not _file().is_file():
        return None
    data = json.loads(_file().read_text())
    return Network(str(data["subnet"]), int(data["mtu"]))


def ensure(near: str | None = None) -> Network:
    """Make whatever of the network is not there yet; a new one preferably around the address `near`.

    Needs `state.lock()`. Raises LabError.
    """
    with system.locked(paths.RUN / "ckan-deploy-lab.lock"):
        network = current()
        if network is None or not Path("/sys/class/net", paths.bridge()).exists():
            network = _choose(network, near)
            system.write(_file(), json.dumps(asdict(network)) + "\n", 0o600)
            _warn(network)
        _bridge(network)
        _masquerade(network)
        if FORWARD.read_text().strip() == "0":
            system.write(FORWARD_BEFORE, "0\n")
            FORWARD.write_text("1\n")
    return network


def remove() -> None:
    """Take the network away, whatever of it is there. Needs `state.lock()`."""
    with system.locked(paths.RUN / "ckan-deploy-lab.lock"):
        system.run(["nft", "delete", "table", "inet", paths.table()], check=False)
        for name in links():
            system.run(["ip", "link", "delete", name], check=False)
        others = [name for name in _interfaces() if name.startswith("ckl") and name.endswith("-br")]
        if FORWARD_BEFORE.exists() and not others:
            FORWARD.write_text(FORWARD_BEFORE.read_text())
            FORWARD_BEFORE.unlink()
        _file().unlink(missing_ok=True)


def hardware(address: str) -> str:
    """The hardware address for an address: fixed, so that neighbours know a host after a power cut."""
    return "02:00:" + ":".join(f"{int(part):02x}" for part in address.split("."))


def link(address: str) -> str:
    """The name of the controller's end of a host's cable."""
    return paths.prefix() + address.rpartition(".")[2]


def links() -> list[str]:
    """This lab's links on the controller."""
    return [name for name in _interfaces() if name.startswith(paths.prefix())]


def free_address(taken: set[str], wish: str | None = None) -> str:
    """The wished address if nobody has it, else the first free one. Raises LabError when none is left."""
    network = current()
    if network is None:
        raise LabError("the lab has no network yet")
    subnet = ipaddress.ip_network(network.subnet)
    if wish and wish not in taken and ipaddress.ip_address(wish) in subnet:
        return wish
    for number in range(FIRST, 255):
        if str(subnet[number]) not in taken:
            return str(subnet[number])
    raise LabError(f"all addresses of {network.subnet} are taken: python -m lab down some hosts")


def _interfaces() -> list[str]:
    return sorted(path.name for path in Path("/sys/class/net").iterdir())


def _json(*argv: str) -> list[dict[str, Any]]:
    text = system.run(argv)
    return [dict(item) for item in json.loads(text)] if text.strip() else []


def _candidates() -> Iterator[str]:
    yield from ("198.51.100.0/24", "203.0.113.0/24")  # for documentation (RFC 5737)
    for number in range(256):
        yield f"198.18.{number}.0/24"  # for benchmarks (RFC 2544)


def _choose(old: Network | None, near: str | None) -> Network:
    """The first range in which the controller has no address and no route, and fetches no package from."""
    # Not far-fetched: on some networks all registries are behind one gateway with a documentation address.
    taken = [ipaddress.ip_network(address) for address in sources.destinations()]
    for interface in _json("ip", "-j", "-4", "address", "show"):
        taken += [
            ipaddress.ip_network(f"{a['local']}/{a['prefixlen']}", strict=False) for a in interface.get("addr_info", [])
        ]
    for route in _json("ip", "-j", "-4", "route", "show", "table", "all"):
        if route["dst"] != "default":
            taken.append(ipaddress.ip_network(route["dst"], strict=False))
    wishes = [str(ipaddress.ip_network(f"{near}/24", strict=False))] if near else []
    candidates = [old.subnet] if old else [*wishes, *_candidates()]
    for candidate in candidates:
        if not any(ipaddress.ip_network(candidate).overlaps(net) for net in taken if net.prefixlen > 0):
            return Network(candidate, _mtu())
    raise LabError(f"this machine uses addresses in {', '.join(candidates[:3])} already: python -m lab down --all")


def _mtu() -> int:
    uplinks = [str(route["dev"]) for route in _json("ip", "-j", "-4", "route", "show", "default") if "dev" in route]
    return int(Path("/sys/class/net", uplinks[0], "mtu").read_text()) if uplinks else 1500


def _bridge(network: Network) -> None:
    name = paths.bridge()
    if not Path("/sys/class/net", name).exists():
        system.run(["ip", "link", "add", name, "mtu", str(network.mtu), "type", "bridge"])
    system.run(["ip", "address", "replace", f"{network.gateway}/24", "dev", name])
    # With an address of its own: else it takes that of some cable, and hosts lose it when that cable goes.
    system.run(["ip", "link", "set", name, "address", hardware(network.gateway)])
    system.run(["ip", "link", "set", name, "mtu", str(network.mtu), "up"])


def _masquerade(network: Network) -> None:
    # One transaction: declared, emptied, filled. Packets between hosts may pass here too (br_netfilter).
    system.run(
        ["nft", "-f", "-"],
        text=f"""
        table inet {paths.table()} {{}}
        delete table inet {paths.table()}
        table inet {paths.table()} {{
            chain out {{
                type nat hook postrouting priority 100; policy accept;
                ip saddr {network.subnet} ip daddr != {network.subnet} masquerade
            }}
        }}
    """,
    )


def _warn(network: Network) -> None:
    """Say so when the controller drops what it should forward; no table of ours could undo that."""
    for item in json.loads(system.run(["nft", "-j", "list", "chains"]))["nftables"]:
        chain = item.get("chain", {})
        if chain.get("hook") == "forward" and chain.get("policy") == "drop":
            print(
                f"lab: warning: this machine's firewall drops what it would forward (table {chain['family']} "
                f"{chain['table']}, chain {chain['name']}), so hosts reach no registry: "
                f"accept packets from and to {network.subnet} there",
                file=sys.stderr,
            )
