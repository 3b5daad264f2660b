"""The lab host `portal` of the tests, put into a known state in seconds.

A deploy takes minutes, a start from a snapshot seconds: each release is deployed once, and everything else begins
from a snapshot of that.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import dataclass, field
from typing import IO

from lab import cleanup, host, inside, minio_build, mirror, mirror_solr, paths, snapshot, solr_build, state
from tests.lab.harness import deploy

NAME = "portal"
FQDN = "portal.test"
RELEASES = tuple(os.environ.get("CKAN_DEPLOY_TEST_RELEASES", "bookworm trixie").split())
# While a test is being written: keep the hosts that a run deployed for the next one, whatever the product is by then.
REUSE = bool(os.environ.get("CKAN_DEPLOY_TEST_REUSE"))


@dataclass
class PortalHost:
    """What stands on the portal_host, and what deploying each release once did."""

    current: str | None = None
    planned: dict[str, list[str]] = field(default_factory=dict)
    changed: dict[str, list[str]] = field(default_factory=dict)
    switched: dict[str, list[str]] = field(default_factory=dict)
    lock: IO[str] | None = None

    def open(self) -> None:
        """Wait for other tests that use the same lab, remove what a killed one left, and have the mirror filled."""
        self.lock = (paths.state().parent / f".{paths.state().name}.tests").open("w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.close()
        mirror_solr.ensure_solr(solr_build.SOLR_VERSION, mirror.folder())
        minio_build.ensure_minio()

    def close(self) -> None:
        """Remove all hosts and snapshots of the tests' own lab."""
        for record in state.records():
            host.down(record.name)
        if not REUSE:
            snapshot.delete_all()
        cleanup.strays()
        self.current = None

    def deployed_dcor(self, release: str) -> str:
        """Name of the snapshot of a converged DCOR portal on RELEASE, which was the plain one before."""
        if deploy.INVENTORY == deploy.DCOR:
            return self.deployed(release)
        name = f"converged-dcor-{release}"
        if not (paths.snapshot(name).exists() and (REUSE or name in self.switched)):
            self.restore(self.deployed(release))
            self.switched[name] = deploy.plan_and_apply(inventory=deploy.DCOR).get(NAME, [])
            self.wait_until_up()
            if paths.snapshot(name).exists():
                snapshot.delete(name)
            snapshot.take(NAME, name, restart=False)
            self._clear()
        return name

    def deployed(self, release: str) -> str:
        """Name of the snapshot of a converged portal on RELEASE; deploys it the first time it is asked for."""
        bare, converged = f"bare-{release}", f"converged-{release}"
        assert release not in self.planned or release in self.changed, f"the first deploy on {release} failed"
        noted = paths.state() / f"{converged}.json"
        if REUSE and release not in self.changed and paths.snapshot(converged).exists() and noted.exists():
            self.planned[release], self.changed[release] = json.loads(noted.read_text())
        if release not in self.changed:
            self._clear()
            for left in (f"half-{release}", converged, bare):  # of a deploy that was interrupted
                if paths.snapshot(left).exists():
                    snapshot.delete(left)
            host.up(NAME, release=release)
            snapshot.take(NAME, bare)
            self.planned[release] = deploy.plan().get(NAME, [])
            self.changed[release] = deploy.apply().get(NAME, [])
            snapshot.take(NAME, converged, restart=False)
            noted.write_text(json.dumps([self.planned[release], self.changed[release]]))
            self._clear()
        return converged

    def restore(self, name: str) -> None:
        """Put a fresh host in the state of the snapshot NAME on the portal_host."""
        self._clear()
        host.up(NAME, snapshot=name)
        self.current = name
        if name.startswith("converged"):
            self.wait_until_up()

    def ensure(self, name: str) -> None:
        """Begin from the snapshot NAME unless it stands there already; for tests that change nothing."""
        if self.current != name:
            self.restore(name)

    def mark_changed(self) -> None:
        """Say that the host is no longer in the state of its snapshot."""
        self.current = None

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

    def _clear(self) -> None:
        if state.find(NAME):
            host.down(NAME)
        self.current = None
