"""A person's computer: programs with a network of their own, which has one cable to the lab and nothing else.

A browser drops what it is loading when an address comes or goes on its machine (ERR_NETWORK_CHANGED). On the controller
that is so whenever a host of any other lab starts or stops.
"""

from __future__ import annotations

import ipaddress
import os
import signal
import subprocess
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from lab import network, paths, system

_NUMBER = 253  # of its address: hosts have the first ones
# As long as the first process lives, the network does. It goes with the test, however that ends.
_SEAT = ("setpriv", "--pdeathsig", "KILL", "unshare", "--net", "sh", "-c", 'read -r _ && exec "$@"', "desk")


@contextmanager
def running(command: Sequence[str], environment: Mapping[str, str]) -> Generator[str, None, None]:
    """Run COMMAND there, and end it with all that it started; the address of that computer.

    + environment: the whole environment of the program
    """
    lab = network.current()
    assert lab, "the lab has no network: none of its hosts is up"
    address = str(ipaddress.ip_network(lab.subnet)[_NUMBER])
    cable = network.link(address)
    with subprocess.Popen(
        [*_SEAT, *command], stdin=subprocess.PIPE, env=dict(environment), start_new_session=True
    ) as process:
        try:
            _plug(process.pid, lab, address, cable)
            assert process.stdin
            process.stdin.write(b"\n")
            process.stdin.close()
            yield address
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            system.run(["ip", "link", "delete", cable], check=False)


def _plug(pid: int, lab: network.Network, address: str, cable: str) -> None:
    ours = Path("/proc/self/ns/net").readlink()
    deadline = time.monotonic() + 30
    while Path(f"/proc/{pid}/ns/net").readlink() == ours:
        assert time.monotonic() < deadline, "there is no network namespace"
        time.sleep(0.05)
    system.run(["ip", "link", "delete", cable], check=False)  # of a test that was killed
    mtu = ("mtu", str(lab.mtu))
    system.run(["ip", "link", "add", cable, *mtu, "type", "veth", "peer", "name", "lab", *mtu, "netns", str(pid)])
    system.run(["ip", "link", "set", cable, "master", paths.bridge(), "up"])
    there = ("nsenter", "--target", str(pid), "--net", "ip")
    # No address of IPv6's own, which would come a second after the link is up.
    system.run([*there, "link", "set", "lab", "addrgenmode", "none"])
    system.run([*there, "address", "add", f"{address}/24", "dev", "lab"])
    for name in ("lo", "lab"):
        system.run([*there, "link", "set", name, "up"])
