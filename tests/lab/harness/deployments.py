"""Which portals the tests deploy: a flavour on a release of Debian.

Every change is tested with one release per flavour; the full set crosses them. A module says with
``pytest.mark.portal("ckan", "dcor")`` which flavours its tests are about, and with ``crossed=True`` that the full set
repeats them on the other release.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DCOR = "inventory/lab.py"
PLAIN = str(Path(__file__).with_name("plain") / "lab.py")
_INVENTORIES = {"ckan": PLAIN, "dcor": DCOR}


@dataclass(frozen=True)
class Deployment:
    """A portal of one flavour on one release."""

    flavour: str
    release: str

    def __str__(self) -> str:
        return f"{self.flavour}-{self.release}"

    @property
    def inventory(self) -> str:
        """Path of the inventory that deploys it."""
        return _INVENTORIES[self.flavour]

    @property
    def bare(self) -> str:
        """Name of the snapshot of the host before its first run."""
        return f"bare-{self.release}"

    @property
    def half(self) -> str:
        """Name of the snapshot of a host on which a run was killed when all was installed and CKAN not configured."""
        return f"half-{self}"

    @property
    def converged(self) -> str:
        """Name of the snapshot of the host after its first run."""
        return f"converged-{self}"


# What every change is tested with.
CKAN = Deployment("ckan", "bookworm")
EACH_CHANGE = {"ckan": CKAN, "dcor": Deployment("dcor", "trixie")}
CROSSED = {"ckan": Deployment("ckan", "trixie"), "dcor": Deployment("dcor", "bookworm")}

_current = CKAN


def current() -> Deployment:
    """The deployment that the present test is about."""
    return _current


def choose(deployment: Deployment) -> None:
    """Have DEPLOYMENT be what `deploy.plan` and `deploy.apply` deploy unless they are told otherwise."""
    global _current
    _current = deployment
