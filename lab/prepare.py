"""What makes a new host of a base system or snapshot: its name, keys, machine-id, and debs at hand."""

import os
import uuid
from pathlib import Path

from lab import git_mirror, mirror, paths, sources, state, system

ARCHIVES = "var/cache/apt/archives"
HOST_KEY = "etc/ssh/ssh_host_ed25519_key"


def host(record: state.Record, merged: Path) -> None:
    """Write the host's own files into its mounted root, once in its life."""
    done = record.folder / "prepared"
    if done.exists():
        return
    system.write(merged / "etc/hostname", record.name + "\n")
    system.write(merged / "etc/machine-id", uuid.uuid4().hex + "\n", 0o444)
    system.write(merged / "etc/resolv.conf", sources.resolver())
    system.write(merged / "etc/hosts", _hosts(merged / "etc/hosts", record.name))
    system.write(merged / "etc/gitconfig", _git_settings(record.address))
    keys = merged / "home/deploy/.ssh/authorized_keys"
    system.write(keys, state.ssh_key().with_suffix(".pub").read_text(), 0o600)
    owner = keys.parent.stat()
    os.chown(keys, owner.st_uid, owner.st_gid)
    own_key = record.folder / "host_key"
    if own_key.is_file():
        system.write(merged / HOST_KEY, own_key.read_text(), 0o600)
        system.write(merged / f"{HOST_KEY}.pub", own_key.with_suffix(".pub").read_text())
    done.touch()


def _git_settings(address: str) -> str:
    """Have git look at the lab's mirror for what is asked of DCOR's repositories."""
    gateway = address.rpartition(".")[0] + ".1"
    return f'[url "http://{gateway}:{mirror.PORT}/git/"]\n\tinsteadOf = {git_mirror.REAL}\n'


def _hosts(file: Path, name: str) -> str:
    """The host's /etc/hosts: its own name; whatever else a snapshot's file says is kept."""
    default = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"
    old = file.read_text() if file.is_file() else ""
    kept = [line for line in (old or default).splitlines() if not line.startswith("127.0.1.1 ")]
    if "127.0.0.1" not in "".join(kept):
        kept = default.splitlines() + kept
    return "\n".join([kept[0], f"127.0.1.1 {name}.test {name}", *kept[1:]]) + "\n"


def debs_in(record: state.Record) -> None:
    """Put the cached debs of the release where apt of the (not yet mounted) host looks for them."""
    archives = record.folder / "upper" / ARCHIVES
    for folder in [
        *reversed(archives.relative_to(record.folder).parents),
        archives.relative_to(record.folder),
    ][1:]:
        (record.folder / folder).mkdir(exist_ok=True)
        (record.folder / folder).chmod(0o755)
    system.link_new(paths.cache() / "debs" / record.release, archives, "*.deb")


def debs_out(record: state.Record) -> int:
    """Keep the debs that apt downloaded in a host that is stopped; return how many are new."""
    return system.link_new(record.folder / "upper" / ARCHIVES, paths.cache() / "debs" / record.release, "*.deb")
