"""Using a host: commands as root inside it, ssh as deploy, waiting until it is up."""

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from lab import processes, state
from lab.errors import LabError

BOOT = 120  # seconds until systemd must be up


def run_argv(name: str, command: Sequence[str]) -> list[str]:
    """The controller's command that runs a command as root inside a host. Raises LabError unless it runs."""
    script = Path(__file__).with_name("enter.py")
    return [sys.executable, "-IS", str(script), str(leader(state.get(name))), *command]


def run(
    name: str, command: Sequence[str], *, check: bool = True, text: str = "", timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command as root inside a host, without the network.

    Raises LabError when it fails and `check` is set.
    """
    done = subprocess.run(
        run_argv(name, command), input=text, capture_output=True, text=True, check=False, timeout=timeout
    )
    if check and done.returncode != 0:
        reason = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
        raise LabError(f"`{' '.join(command)}` failed on {name}: {reason}")
    return done


def ssh_argv(host: state.Host, command: Sequence[str] = ()) -> list[str]:
    """The ssh command that logs in as deploy, with strict checking of the host key."""
    return [
        "ssh",
        "-F",
        "none",
        "-i",
        str(host.ssh_key),
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "IdentityAgent=none",
        "-o",
        f"UserKnownHostsFile={host.known_hosts}",
        "-o",
        "GlobalKnownHostsFile=/dev/null",
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        "ConnectTimeout=5",
        f"{host.ssh_user}@{host.address}",
        *command,
    ]


def leader(record: state.Record) -> int:
    """The pid of the host's process 1; raises LabError when it is not running."""
    pid = processes.leader(record.folder)
    if pid is None:
        raise LabError(f"{record.name} is not running: python -m lab up {record.name}")
    return pid


def log(record: state.Record) -> Path:
    """The host's console and what its supervisor says."""
    return record.folder / "console.log"


def wait_until_up(record: state.Record) -> None:
    """Wait until systemd is `running` and sshd lets us in; raises LabError naming what failed."""
    limit = time.monotonic() + BOOT
    while (found := _systemd(record)) != "running":
        if found == "degraded":
            units = run(record.name, ["systemctl", "list-units", "--failed", "--plain", "--no-legend"]).stdout
            failed = ", ".join(line.split()[0] for line in units.splitlines())
            raise LabError(f"{record.name} is up, but these units failed: {failed}")
        if processes.supervisor(record.folder) is None:
            said = [line for line in log(record).read_text(errors="replace").splitlines() if line.strip()]
            raise LabError(
                f"{record.name} stopped while it started: {said[-1].removeprefix('lab: ')}"
                if said
                else f"{record.name} stopped while it started"
            )
        if time.monotonic() > limit:
            raise LabError(f"{record.name} is not up after {BOOT} seconds: see {log(record)}")
        time.sleep(0.1)
    argv = ssh_argv(state.host(record.name), ["-n", "true"])
    while True:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return
        if time.monotonic() > limit:
            raise LabError(f"{record.name} lets nobody in by ssh: {done.stderr.strip().splitlines()[-1]}")
        time.sleep(0.1)


def _systemd(record: state.Record) -> str:
    try:
        return run(record.name, ["systemctl", "is-system-running"], check=False, timeout=20).stdout.strip()
    except (LabError, subprocess.TimeoutExpired):
        return "offline"
