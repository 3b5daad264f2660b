"""Base systems: one bare server per release, built once and cached, read-only below every host."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from lab import paths, requirements, sources, system
from lab.errors import LabError

MAX_AGE = 7 * 24 * 3600  # seconds; older package lists name versions that the archives no longer have
PACKAGES = (
    "systemd-sysv",
    "dbus",
    "libpam-systemd",
    "openssh-server",
    "sudo",
    "python3",
    "ca-certificates",
    "iproute2",
    "iputils-ping",
    "netbase",
    "procps",
    "tzdata",
)
# Runs with the new system's root as /.
SETUP = """
set -eu
useradd --uid 1000 --create-home --shell /bin/bash deploy
install -d -o deploy -g deploy -m 0700 /home/deploy/.ssh
install -d -m 0700 /root/.cache
install -d -m 0755 /root/.cache/pip
chmod 0440 /etc/sudoers.d/deploy
update-ca-certificates >/dev/null
echo LANG=C.UTF-8 > /etc/locale.conf
[ -L /etc/default/locale ] || mv /etc/locale.conf /etc/default/locale
rm -f /etc/ssh/ssh_host_*
for unit in systemd-networkd-wait-online.service systemd-networkd.service systemd-networkd.socket \
    systemd-resolved.service systemd-timesyncd.service; do
    if [ -e /lib/systemd/system/$unit ]; then ln -sf /dev/null /etc/systemd/system/$unit; fi
done
systemctl set-default multi-user.target 2>/dev/null
"""
FILES = {
    # Timers that packages bring would change a host in the middle of a test: apt's take the dpkg lock, others write
    # into /tmp or rotate logs. What a timer's own drop-ins say is in force, and so are the portal's own timers.
    "usr/lib/systemd/system/timer.d/00-lab.conf": "[Timer]\nOnCalendar=\nOnCalendar=2099-01-01\n",
    "usr/lib/systemd/system/ckan-scheduled-.timer.d/00-lab.conf": "# In place of timer.d/00-lab.conf.\n",
    "etc/sudoers.d/deploy": "deploy ALL=(ALL:ALL) NOPASSWD: ALL\n",
    "etc/ssh/sshd_config.d/lab.conf": (
        "HostKey /etc/ssh/ssh_host_ed25519_key\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
    ),
}


def ensure(release: str) -> Path:
    """The root folder of a base system of `release`, built now unless a whole and fresh one is cached.

    Raises LabError when it cannot be built and no older one can stand in.
    """
    if release not in sources.RELEASES:
        raise LabError(f"unknown release {release!r}: choose one of {', '.join(sources.RELEASES)}")
    lines = sources.archive(release)
    files = _files()
    recipe = json.dumps([lines, files, sources.apt_settings(), PACKAGES, SETUP, release])
    stem = f"{release}-{hashlib.sha256(recipe.encode()).hexdigest()[:12]}"
    folder = paths.cache() / "bases"
    folder.mkdir(parents=True, exist_ok=True)
    with system.locked(paths.cache() / "locks" / f"base-{release}"):
        newest = max(folder.glob(f"{stem}-*"), key=_built, default=None)
        if newest and time.time() - _built(newest) < MAX_AGE:
            return newest / "root"
        try:
            whole = _build(release, folder, stem, lines, files)
        except LabError as error:
            if newest is None:
                raise
            print(
                f"lab: warning: {error}; using the base of {release} from {time.ctime(_built(newest))}",
                file=sys.stderr,
            )
            return newest / "root"
        _prune(folder, release, whole)
        return whole / "root"


def use(root: Path, user: Path) -> None:
    """Note that a host or snapshot folder stands on this base, so that a newer one does not push it out."""
    users = root.parent / "users"
    users.mkdir(exist_ok=True)
    link = users / hashlib.sha256(str(user).encode()).hexdigest()[:16]
    link.unlink(missing_ok=True)
    link.symlink_to(user)


def _files() -> dict[str, str]:
    files = dict(FILES)
    files["etc/pip.conf"] = sources.pip_settings()
    for name, text in sources.certificates().items():
        files[f"usr/local/share/ca-certificates/{name}"] = text
    return files


def _built(folder: Path) -> float:
    return float(folder.name.rpartition("-")[2])


def _build(release: str, folder: Path, stem: str, lines: list[str], files: dict[str, str]) -> Path:
    requirements.tool("mmdebstrap", "mmdebstrap")
    for stale in folder.glob(f".new-{release}-*"):  # left by a build that was killed: we hold the lock
        shutil.rmtree(stale, ignore_errors=True)
    work = folder / f".new-{release}-{os.getpid()}"
    root, tree = work / "root", work / "tree"
    work.mkdir(mode=0o755)
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    (work / "setup").write_text(SETUP)
    # Its own process namespace, tied to our life: when the lab is killed nothing of the build goes on.
    argv = [
        "setpriv",
        "--pdeathsig",
        "KILL",
        "--",
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child=SIGKILL",
        "--mount-proc",
        "--",
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        f"--include={','.join(PACKAGES)}",
        "--skip=cleanup/apt/lists",  # `apt-get install` works in a new host without `update`
        *[f"--aptopt={line}" for line in sources.apt_settings()],
        f"--customize-hook=cp -rT --remove-destination --no-preserve=ownership '{tree}' \"$1\"",
        f"--customize-hook=chroot \"$1\" sh -s < '{work / 'setup'}'",
        release,
        str(root),
        *lines,
    ]
    print(f"building the base system of {release} (about a minute, once a week)", flush=True)
    log = folder / f"{release}.log"
    with log.open("w") as output:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, cwd="/")
    if done.returncode != 0:
        shutil.rmtree(work, ignore_errors=True)
        errors = [line for line in log.read_text(errors="replace").splitlines() if line.startswith("E: ")]
        reason = errors[0][3:] if errors else f"exit status {done.returncode}"
        raise LabError(f"the base system of {release} cannot be built: {reason} (see {log})")
    shutil.rmtree(tree)
    (work / "setup").unlink()
    (root / "etc/machine-id").write_text("")
    for path in (root, root / "var"):
        path.chmod(0o755)
    whole = folder / f"{stem}-{int(time.time())}"
    work.rename(whole)
    return whole


def _prune(folder: Path, release: str, keep: Path) -> None:
    """Remove bases that a newer one replaces and that no host or snapshot stands on."""
    for old in folder.glob(f"{release}-*-*"):
        users = old / "users"
        if old != keep and not (users.is_dir() and any(link.exists() for link in users.iterdir())):
            shutil.rmtree(old, ignore_errors=True)
