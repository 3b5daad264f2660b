"""A real sshd with a real sudo on loopback, with accounts of its own: nothing of this machine is altered.

It runs in namespaces of its own, over packages that are unpacked and never installed, and sees an ``/etc`` with an
account ``deploy``. Whatever a host may have (a login shell, a ``.bashrc`` that prints, settings of sshd) it is
given.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab import paths, system

PACKAGES = ("fish", "openssh-server", "sudo", "tcsh")
_USER = "deploy"
_UID = 64999  # of no account that a distribution has
_NOPASSWD = f"{_USER} ALL=(ALL) NOPASSWD: ALL\n"

_APART = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_INSIDE = """
mount --make-rprivate /
mount -t overlay overlay -o "ro,lowerdir=$1/usr:/usr" /usr
mount -t overlay overlay -o "ro,lowerdir=$2/etc:$1/etc:/etc" /etc
mount --bind "$2/home" /home
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/sshd
exec /usr/sbin/sshd -D -e -f "$2/sshd_config"
"""


@dataclass(frozen=True)
class Server:
    """A running sshd.

    + port: on 127.0.0.1
    + key: a private key that lets the account ``deploy`` in
    + known_hosts: with its host key
    + home: that account's
    + log: what sshd says
    """

    port: int
    key: Path
    known_hosts: Path
    home: Path
    log: Path

    @property
    def data(self) -> dict[str, Any]:
        """What an inventory says of it."""
        return {
            "ssh_hostname": "127.0.0.1",
            "ssh_port": self.port,
            "ssh_user": _USER,
            "ssh_key": str(self.key),
            "ssh_known_hosts_file": str(self.known_hosts),
            "ssh_strict_host_key_checking": "yes",
        }


def unpacked() -> Path:
    """Return the folder with PACKAGES and what they need, fetched by apt once for this machine's release."""
    release = f"{os.uname().machine}-{_release()}"
    folder = paths.cache() / "unpacked" / f"{'-'.join(PACKAGES)}-{release}"
    with system.locked(paths.cache() / "locks" / "unpacked"):
        if folder.is_dir():
            return folder
        building = folder.with_suffix(".new")
        shutil.rmtree(building, ignore_errors=True)
        (building / "archives/partial").mkdir(parents=True)
        fetch = ["apt-get", "-qq", "-y", "--no-install-recommends", "--download-only", "-o", "Debug::NoLocking=1"]
        fetch += ["-o", f"Dir::Cache::archives={building}/archives", "install", *PACKAGES]
        if subprocess.run(fetch, capture_output=True, check=False).returncode:
            subprocess.run(["apt-get", "-qq", "update"], check=True)
            subprocess.run(fetch, check=True)
        for package in (building / "archives").glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", package, building / "root"], check=True)
        for name in ("bin", "sbin", "lib"):  # of packages that know of no merged /usr
            if (building / "root" / name).is_dir():
                shutil.copytree(building / "root" / name, building / "root/usr" / name, dirs_exist_ok=True)
        (building / "root").rename(folder)
        shutil.rmtree(building)
    return folder


def _release() -> str:
    lines = Path("/etc/os-release").read_text().splitlines()
    return next(line.partition("=")[2].strip('"') for line in lines if line.startswith("VERSION_ID="))


@contextmanager
def serve(
    folder: Path,
    *,
    shell: str = "/bin/bash",
    home: dict[str, str] | None = None,
    etc: dict[str, str] | None = None,
    sudoers: str = _NOPASSWD,
    config: str = "",
) -> Iterator[Server]:
    """Run a sshd with all its files in FOLDER.

    + shell: the account's login shell
    + home, etc: text of files there
    + config: more lines of sshd_config
    """
    if os.geteuid() != 0:
        pytest.skip("needs root for namespaces")
    root = unpacked()
    port = _free_port()
    _write(folder / "etc", {**_accounts(shell), "sudoers": sudoers, **(etc or {})})
    folder.joinpath("home").mkdir(parents=True)
    _write(folder / "home/deploy", {".ssh/authorized_keys": "", **(home or {})})
    for name in ("key", "host_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    (folder / "home/deploy/.ssh/authorized_keys").write_text((folder / "key.pub").read_text())
    for path in (folder / "home/deploy", *(folder / "home/deploy").rglob("*")):
        os.chown(path, _UID, 65534)
    (folder / "etc/sudoers").chmod(0o440)
    (folder / "etc/shadow").chmod(0o600)
    (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {(folder / 'host_key.pub').read_text()}")
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1\nPort {port}\nHostKey {folder}/host_key\nUsePAM yes\nStrictModes no\n"
        f"PasswordAuthentication no\nPidFile none\nLogLevel VERBOSE\n{config}\n"
    )
    server = Server(port, folder / "key", folder / "known_hosts", folder / "home/deploy", folder / "log")
    with server.log.open("w") as log:
        process = subprocess.Popen(
            [*_APART, "sh", "-ec", _INSIDE, "sh", str(root), str(folder)],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
        )  # fmt: skip
        try:
            _wait(server, process)
            yield server
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()


def _accounts(shell: str) -> dict[str, str]:
    passwd = Path("/etc/passwd").read_text() + "sshd:x:64998:65534::/run/sshd:/usr/sbin/nologin\n"
    shadow = f"root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n{_USER}:*:19000:0:99999:7:::\n"
    return {"passwd": f"{passwd}{_USER}:x:{_UID}:65534::/home/{_USER}:{shell}\n", "shadow": shadow}


def _write(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, server.log.read_text()
        try:
            socket.create_connection(("127.0.0.1", server.port), 1).close()
        except OSError:
            assert time.monotonic() < deadline, server.log.read_text()
            time.sleep(0.05)
        else:
            return
