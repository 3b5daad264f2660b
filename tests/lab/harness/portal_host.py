"""The lab host `portal` of the tests, put into a known state in seconds.

A deploy takes minutes, a start from a snapshot seconds: each deployment is made once, and everything else begins from
a snapshot of that. A test that leaves the host as it found it says nothing; that it did is asserted at the end of its
module. One that does not says ``mark_changed``, and the next begins from the snapshot.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from lab import artefacts, cleanup, host, inside, paths, snapshot, state
from tests.lab.harness import deploy, oracle, packages, secret_store
from tests.lab.harness.acceptance import Portal
from tests.lab.harness.deployments import CROSSED, EACH_CHANGE, Deployment

NAME = "portal"
FQDN = "portal.test"
# While a test is being written: keep the hosts that a run deployed for the next one, whatever the product is by then.
REUSE = bool(os.environ.get("CKAN_DEPLOY_TEST_REUSE"))

# Bare hosts of this release are as some people have them: their locale does not exist.
UNUSUAL_RELEASE = "bookworm"
_UNUSUAL = "echo 'LANG=xx_XX.UTF-8' > /etc/default/locale"


@dataclass
class FirstRun:
    """What deploying on a bare host did: the operations that were planned and changed, and what the plan changed."""

    planned: list[str]
    changed: list[str]
    by_planning: list[str]


@dataclass
class PortalHost:
    """The host `portal`: which snapshot it stands on, and what the first run of each deployment did."""

    current: str | None = None
    first_runs: dict[Deployment, FirstRun] = field(default_factory=dict)
    converged_essence: dict[str, oracle.State] = field(default_factory=dict)
    begun: set[Deployment] = field(default_factory=set)
    used: bool = False
    lock: IO[str] | None = None

    def open(self) -> None:
        """Wait for other tests that use the same lab, remove what a killed one left, and have the mirror filled."""
        self.lock = (paths.state().parent / f".{paths.state().name}.tests").open("w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.close()
        artefacts.ensure({deployment.release for deployment in (*EACH_CHANGE.values(), *CROSSED.values())})

    def close(self) -> None:
        """Remove all hosts and snapshots of the tests' own lab."""
        for record in state.records():
            host.down(record.name)
        if not REUSE:
            snapshot.delete_all()
        cleanup.strays()
        self.current = None

    def deployed(self, deployment: Deployment) -> str:
        """Name of the snapshot of a converged portal; deploys it the first time it is asked for."""
        converged = deployment.converged
        noted = paths.state() / f"{converged}.json"
        if REUSE and deployment not in self.first_runs and paths.snapshot(converged).exists() and noted.exists():
            self.first_runs[deployment] = FirstRun(*json.loads(noted.read_text()))
        if deployment in self.first_runs:
            return converged
        assert deployment not in self.begun, f"the first deploy of {deployment} failed"
        self.begun.add(deployment)
        self._clear()
        for left in (deployment.half, converged):  # of a deploy that was interrupted
            if paths.snapshot(left).exists():
                snapshot.delete(left)
        if deployment in CROSSED.values():  # its release is deployed from a bare host with the other flavour
            host.up(NAME, snapshot=packages.snapshot(deployment))
        else:
            host.up(NAME, snapshot=self.bare(deployment))
        before = oracle.snapshot(NAME)
        planned = deploy.plan(inventory=deployment.inventory).get(NAME, [])
        by_planning = oracle.difference(before, oracle.snapshot(NAME))
        changed = deploy.apply(inventory=deployment.inventory).get(NAME, [])
        snapshot.take(NAME, converged)
        self.first_runs[deployment] = FirstRun(planned, changed, by_planning)
        noted.write_text(json.dumps([planned, changed, by_planning]))
        self._stands(converged)
        return converged

    def bare(self, deployment: Deployment) -> str:
        """Name of the snapshot of a bare host for DEPLOYMENT; made the first time it is asked for."""
        if not paths.snapshot(deployment.bare).exists():
            self._clear()
            host.up(NAME, release=deployment.release)
            if deployment.release == UNUSUAL_RELEASE:
                inside.run(NAME, ["sh", "-ec", _UNUSUAL])
            snapshot.take(NAME, deployment.bare, restart=False)
            self._clear()
        return deployment.bare

    def restore(self, name: str) -> None:
        """Start a fresh host from the snapshot NAME."""
        self._clear()
        host.up(NAME, snapshot=name)
        self._stands(name)

    def ensure(self, name: str) -> None:
        """Start from the snapshot NAME unless the host is in its state already."""
        if self.current != name:
            self.restore(name)
        self.used = True

    def mark_changed(self) -> None:
        """Say that the host is no longer in the state of its snapshot: the next test gets a fresh one."""
        self.current = None

    def assert_converged(self) -> None:
        """Assert that the host is as its first run left it, where tests have used it and said nothing else."""
        if not self.used or self.current not in self.converged_essence:
            return
        self.used = False
        left = oracle.difference(self.converged_essence[self.current], oracle.essence(oracle.snapshot(NAME)))
        if left:
            self.mark_changed()
        assert left == [], "\n".join(["the tests of this module left the host changed:", *left])

    def wait_until_up(self, seconds: float = 600) -> None:
        """Wait until CKAN answers on the host itself."""
        command = ["curl", "-sf", "-o", "/dev/null", "http://127.0.0.1:8080/api/3/action/status_show"]
        deadline = time.monotonic() + seconds
        while inside.run(NAME, command, check=False).returncode != 0:
            assert time.monotonic() < deadline, f"CKAN did not come up in {seconds:.0f} s"
            time.sleep(1)

    def run(self, *command: str) -> str:
        """Run a command on the host as root; its output."""
        return inside.run(NAME, command).stdout

    def read(self, path: str) -> str:
        """Text of a file on the host."""
        return self.run("cat", path)

    def _stands(self, name: str) -> None:
        """Note that the host has just started from the snapshot NAME."""
        self.current, self.used = name, False
        if name.startswith("converged"):
            self.wait_until_up()
            if name not in self.converged_essence:
                self.converged_essence[name] = oracle.essence(oracle.snapshot(NAME))

    def _clear(self) -> None:
        if state.find(NAME):
            host.down(NAME)
        self.current = None


def portal_of(folder: Path) -> Portal:
    """The portal on that host as its users see it; its certificate is written to FOLDER."""
    cafile = folder / "portal.pem"
    cafile.write_text(inside.run(NAME, ["cat", f"/etc/ssl/certs/{FQDN}.cert"]).stdout)
    return Portal(
        fqdn=FQDN,
        address=state.host(NAME).address,
        cafile=str(cafile),
        sysadmin="admin",
        password=secret_store.secret("ckan_sysadmin_password"),
    )
