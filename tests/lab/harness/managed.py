"""What the product manages on a host: asked of the product itself, so that nothing new is forgotten by the tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from deploys.base import MARKER
from lab import inside
from tests.lab.harness import deploy
from tests.lab.harness.deployments import Deployment
from tests.lab.harness.portal_host import NAME
from tests.plan import fake

# What tells that the host is ours: with all traces gone, a run takes the portal for somebody else's and stops.
MARKS = (MARKER, str(Path(MARKER).parent))
# How each path looks on a converged host. A tree was unpacked from an archive, whose checksum is noted in it.
_DESCRIBE = """
import json, os, sys
def kind(path):
    if os.path.islink(path): return "link"
    if os.path.exists(path + "/.ckan-deploy"): return "tree"
    return "folder" if os.path.isdir(path) else "file" if os.path.isfile(path) else "absent"
print(json.dumps({path: kind(path) for path in json.loads(sys.argv[1])}))
"""


@dataclass(frozen=True)
class Managed:
    """Paths by what stands there, packages, systemd's units, and supervisor's programs."""

    paths: dict[str, str]
    packages: list[str]
    units: list[str]

    @property
    def programs(self) -> list[str]:
        """Names of supervisor's programs."""
        return [Path(path).stem for path in self.of("file") if path.startswith("/etc/supervisor/conf.d/")]

    def of(self, *kinds: str) -> list[str]:
        """Paths of these kinds: file, folder, link, tree, absent."""
        return [path for path, kind in self.paths.items() if kind in kinds]


def managed(deployment: Deployment, folder: Path) -> Managed:
    """What the portal of DEPLOYMENT consists of, from an offline plan; the converged host must be up."""
    notes = folder / "notes.json"
    inventory = fake.fake_inventory(deploy.ROOT / deployment.inventory, folder, deployment.release)
    done = fake.run(inventory, program=("tests.lab.harness.foresight_main", str(notes)))
    assert done.returncode == 0, done.stderr
    found = json.loads(notes.read_text())
    paths = [path for path in found["path"] if path not in MARKS]
    described = inside.run(NAME, ["python3", "-c", _DESCRIBE, json.dumps(paths)]).stdout
    return Managed(json.loads(described), found["package"], [name for name in found["unit"] if "." in name])
