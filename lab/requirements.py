"""What the controller must offer, each lack told in one sentence that says how to get it."""

import os
import shutil
from pathlib import Path

from lab.errors import LabError

# Tool -> Debian/Ubuntu package that brings it.
TOOLS = {
    "systemd-nspawn": "systemd-container",
    "ip": "iproute2",
    "nft": "nftables",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "mount": "mount",
}


def tool(name: str, package: str) -> None:
    """Raise LabError when a tool is not on the PATH."""
    if shutil.which(name) is None:
        raise LabError(f"{name} is missing: apt-get install {package}")


def root() -> None:
    """Raise LabError when this is not root."""
    if os.geteuid() != 0:
        raise LabError("the lab makes namespaces and mounts, so it must run as root: use sudo")


def check() -> None:
    """Raise LabError for the first thing that hosts need and that is missing."""
    root()
    for name, package in TOOLS.items():
        tool(name, package)
    if "overlay" not in Path("/proc/filesystems").read_text().split() and os.system("modprobe -q overlay") != 0:
        raise LabError("the kernel has no overlay file system: modprobe overlay")
    cgroup2()


def cgroup2() -> Path:
    """Where the unified control group hierarchy is mounted; raises LabError when it is not."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise LabError("no cgroup2 hierarchy is mounted: mount -t cgroup2 none /sys/fs/cgroup/unified")


def cgroups() -> list[Path]:
    """Where control group hierarchies are mounted, the unified one first (guests appear in several)."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    return [cgroup2(), *[Path(words[1]) for words in mounts if words[2] == "cgroup"]]


def cgroup1_memory() -> Path | None:
    """Where the memory controller of the old hierarchy is mounted, if it is used."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options, *_ = line.split()
        if kind == "cgroup" and "memory" in options.split(","):
            return Path(where)
    return None
