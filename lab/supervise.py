"""The process that is one running host: it holds the namespaces and starts the guest again when it reboots.

Mounts and the network namespace are private to it: when it ends, however it ends, the kernel takes them away.
Run as `python -m lab.supervise FOLDER`.
"""

import ctypes
import os
import shutil
import subprocess
import sys
from pathlib import Path

from lab import network, paths, prepare, requirements, state, system
from lab.errors import LabError

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
REBOOTED = 133  # systemd-nspawn's exit status when the guest asked for a reboot
INTERFACE = "host0"
# Names a file that then gets each program that the host starts, from process 1 on, with its arguments (lab/trace.py).
TRACE = "CKAN_DEPLOY_LAB_TRACE"


def main(folder: Path) -> int:
    """Run the host of this folder until it is powered off; return 0 then."""
    if os.fork():
        os._exit(0)  # whoever started us waits for this: from now on the host's process can be found
    os.setsid()
    record = state.get(folder.name)
    cgroup = _control_group(record)
    _enter_namespaces(record)
    merged = _mount(record)
    prepare.host(record, merged)
    argv = _nspawn(record, merged)
    while True:
        status = subprocess.run(
            argv, stdin=subprocess.DEVNULL, check=False, preexec_fn=lambda: _join(cgroup), env=_environment()
        ).returncode
        print(f"lab: the guest ended with status {status}", flush=True)
        if status != REBOOTED:
            return 0 if status == 0 else 1


def _environment() -> dict[str, str]:
    # /tmp stays on the disk, as on a server.
    return {**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1", "SYSTEMD_NSPAWN_TMPFS_TMP": "0"}


def _join(cgroup: Path) -> None:
    (cgroup / "cgroup.procs").write_text(str(os.getpid()))


def _control_group(record: state.Record) -> Path:
    """Give the host a group of its own: guests that shared one would end each other's services."""
    group = requirements.cgroup2() / f"{paths.prefix()}{record.name}"
    (group / "lab").mkdir(parents=True, exist_ok=True)
    _join(group / "lab")  # a leaf beside the guest's, so that controllers can be enabled above
    if record.memory:
        limits = group, "memory.max"
        old = requirements.cgroup1_memory()
        if old:
            limits = old / group.name, "memory.limit_in_bytes"
            limits[0].mkdir(exist_ok=True)
            _join(limits[0])
        try:
            (limits[0] / limits[1]).write_text(str(record.memory))
        except OSError as error:
            raise LabError(f"memory cannot be limited here: {error.strerror}") from error
    return group


def _enter_namespaces(record: state.Record) -> None:
    net = network.current()
    if net is None:
        raise LabError("the lab has no network")
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS | CLONE_NEWNET) != 0:
        raise LabError(f"no new namespaces: {os.strerror(ctypes.get_errno())}")
    system.run(["mount", "--make-rprivate", "/"])
    name, mtu = network.link(record.address), str(net.mtu)
    mac = network.hardware(record.address)
    there = ["nsenter", f"--net=/proc/self/fd/{outside}", "ip", "link"]
    system.run(
        [
            *there,
            "add",
            name,
            "mtu",
            mtu,
            "type",
            "veth",
            "peer",
            "name",
            INTERFACE,
            "mtu",
            mtu,
            "address",
            mac,
            "netns",
            str(os.getpid()),
        ],
        pass_fds=[outside],
    )
    system.run([*there, "set", name, "master", paths.bridge(), "up"], pass_fds=[outside])
    os.close(outside)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("0\n")  # a new namespace copies the controller's setting
    system.run(["ip", "link", "set", "lo", "up"])
    system.run(["ip", "address", "add", f"{record.address}/24", "dev", INTERFACE])
    system.run(["ip", "link", "set", INTERFACE, "up"])
    system.run(["ip", "route", "add", "default", "via", net.gateway])


def _mount(record: state.Record) -> Path:
    upper, work, merged = (record.folder / name for name in ("upper", "work", "merged"))
    shutil.rmtree(work, ignore_errors=True)  # holds only the kernel's note that it was mounted `volatile`
    for folder in (upper, work, merged):
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)  # the upper layer's mode is that of the host's /
    for layer in record.layers:
        if not Path(layer).is_dir():
            raise LabError(f"{record.name} stands on {layer}, which is gone: python -m lab down {record.name}")
    # redirect_dir: renaming a folder of a lower layer works as on a disk.
    # volatile: no fsync, which makes apt several times faster; the data is for throwing away.
    options = f"lowerdir={':'.join(record.layers)},upperdir={upper},workdir={work}"
    system.run(
        [
            "mount",
            "-t",
            "overlay",
            paths.prefix() + record.name,
            "-o",
            options + ",redirect_dir=on,index=off,metacopy=off,volatile",
            merged,
        ]
    )
    return merged


def _nspawn(record: state.Record, merged: Path) -> list[str]:
    pip = paths.cache() / "pip" / record.release
    pip.mkdir(parents=True, exist_ok=True)
    mortal = ["setpriv", "--pdeathsig", "KILL", "--"]  # ends with whoever started it
    trace = os.environ.get(TRACE)
    traced = [*mortal, sys.executable, "-m", "lab.trace", trace] if trace else []
    return [
        *traced,
        *mortal,
        "systemd-nspawn",
        "--quiet",
        "--register=no",
        "--keep-unit",
        "--boot",
        "--directory",
        str(merged),
        f"--machine={record.name}",
        f"--hostname={record.name}",
        "--console=read-only",
        "--resolv-conf=off",
        "--timezone=off",
        "--link-journal=no",
        f"--network-namespace-path=/proc/{os.getpid()}/ns/net",
        "--capability=CAP_NET_ADMIN",  # as a real host: it may have a firewall, in this namespace of its own
        f"--bind={pip}:/root/.cache/pip",
    ]


if __name__ == "__main__":
    try:
        sys.exit(main(Path(sys.argv[1])))
    except LabError as problem:
        print(f"lab: {problem}", flush=True)
        sys.exit(1)
