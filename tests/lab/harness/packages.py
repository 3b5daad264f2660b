"""Hosts that are bare but for their packages: a layer in the cache that later deploys begin from.

Each release is deployed from a bare host once, with its packages; what follows need not install them again. The layer
is made by the product's own operations, and made anew when the base system, what is to be installed, the locks, the
artefacts or those operations have changed.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

from lab import base, host, minio_build, mirror, paths, shared, solr_build, system
from tests.lab.harness import deploy
from tests.lab.harness.deployments import Deployment
from tests.plan import fake

MAIN = Path(__file__).with_name("packages_main.py")
_BUILDERS = (
    "operations/apt.py",
    "operations/download.py",
    "operations/python.py",
    "tests/lab/harness/packages_main.py",
)


def snapshot(deployment: Deployment) -> str:
    """Name of the snapshot of a host with DEPLOYMENT's packages; the lab's host `portal` is removed to make it."""
    name = f"packages-{deployment}"
    if paths.snapshot(name).exists():
        return name
    layer = f"{deployment}-{_key(deployment)}"
    with system.locked(paths.cache() / "locks" / f"layer-{deployment}"):
        if not shared.is_there(layer):
            _install(deployment)
            shared.keep("portal", layer)
            shared.prune(str(deployment), layer)
    shared.as_snapshot(layer, name)
    return name


def _install(deployment: Deployment) -> None:
    host.down("portal")
    host.up("portal", release=deployment.release)
    command = [sys.executable, str(MAIN), deployment.inventory, "deploy.py", "-y"]
    done = subprocess.run(
        command, cwd=deploy.ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=3600, check=False
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]


def _key(deployment: Deployment) -> str:
    digest = hashlib.sha256(base.ensure(deployment.release).parent.name.encode())
    with tempfile.TemporaryDirectory() as folder:
        inventory = fake.fake_inventory(deploy.ROOT / "inventory/dev.py", Path(folder), deployment.release)
        flavour = ("--data", f"portal_flavour={deployment.flavour}", "--data", "develop_enabled=False")
        found = fake.packages(inventory, Path(folder) / "notes", *flavour)
    digest.update(repr(sorted(set().union(*found.values()))).encode())
    files = [*sorted((deploy.ROOT / "locks").iterdir()), *(deploy.ROOT / name for name in _BUILDERS)]
    for path in files:
        digest.update(path.read_bytes())
    solr = mirror.folder() / "solr" / solr_build.SOLR_VERSION / f"solr-{solr_build.SOLR_VERSION}.tgz.sha512"
    digest.update(f"{solr.read_text()}{minio_build.checksum()}".encode())
    return digest.hexdigest()[:12]
