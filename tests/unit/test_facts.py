"""Facts from data files: what a host printed, and what is made of it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from pyinfra.api import FactBase

from facts.apt import AptState
from facts.ckan import CkanVersion, DatabaseState
from facts.ckan_data import HoldingsState
from facts.ckan_identity import IdentityState
from facts.ckan_index import IndexState
from facts.ckan_queue import QueueState
from facts.clock import ClockState
from facts.cluster import ClustersState
from facts.deb import DebState
from facts.files import ManagedState
from facts.foreign import ForeignState
from facts.minio import AccessState
from facts.minio_identity import StorageState
from facts.nftables import TableState
from facts.postgresql import DatabaseState as PostgresqlDatabaseState
from facts.postgresql import RoleState
from facts.python import EnvironmentState
from facts.s3 import SemanticsState
from facts.supervisor import ProgramsState
from facts.systemd import UnitState
from tests.unit.checkout import ROOT
from tests.unit.generated import FIXTURES, fact_tests, paths

pytestmark = pytest.mark.filterwarnings("ignore:No (requires )?command set")

PATHS = paths("facts")
globals().update({path: fact_tests(path) for path in PATHS})

# What each fact says of a host that printed nothing.
DEFAULTS: dict[str, object] = {
    "apt.Brought": (),
    "apt.Packages": AptState(),
    "certificate.Certificate": None,
    "certificate.Joined": False,
    "certificate.PublicKey": None,
    "ckan.Database": DatabaseState(),
    "clock.Clock": ClockState(),
    "ckan.Version": CkanVersion(),
    "ckan_data.Holdings": HoldingsState(),
    "ckan_data.Location": "",
    "ckan_identity.Identity": IdentityState(),
    "ckan_index.Index": IndexState(),
    "ckan_queue.Queue": QueueState(),
    "cluster.Clusters": ClustersState(),
    "cluster.Held": None,
    "cluster.Recorded": None,
    "deb.Deb": DebState(),
    "download.Checksum": None,
    "foreign.Foreign": ForeignState(),
    "left_files.LeftFiles": {},
    "redis.Unwritten": 0,
    "download.Former": [],
    "download.Unpacked": None,
    "files.Managed": ManagedState(None),
    "git.Checkouts": {},
    "host.Basics": None,
    "host.Scratch": None,
    "host.Unmounted": [],
    "http.Answers": (),
    "minio.Access": AccessState(),
    "minio_identity.Storage": StorageState(),
    "nftables.Table": TableState(),
    "postgresql.Database": PostgresqlDatabaseState(),
    "postgresql.Role": RoleState(),
    "python.Environment": EnvironmentState(),
    "s3.Semantics": SemanticsState(),
    "scratch.Recorded": (),
    "supervisor.Programs": ProgramsState(),
    "systemd.Present": (),
    "systemd.Unit": UnitState(),
    "users.Home": None,
}


def _all() -> dict[str, type[FactBase[Any]]]:
    """Every fact that facts/ defines, by module and name."""
    modules = [import_module(f"facts.{path.stem}") for path in (ROOT / "facts").glob("*.py")]
    return {
        f"{module.__name__.removeprefix('facts.')}.{name}": one
        for module in modules
        for name, one in vars(module).items()
        if isinstance(one, type) and issubclass(one, FactBase) and one.__module__ == module.__name__
    }


FACTS = _all()


def test_every_fact_has_fixtures_and_every_folder_a_fact() -> None:
    assert sorted(FACTS) == PATHS


@pytest.mark.parametrize("path", PATHS)
def test_each_folder_has_fixtures_and_nothing_else(path: str) -> None:
    assert {one.suffix for one in (FIXTURES / "facts" / path).iterdir()} == {".yaml"}


@pytest.mark.parametrize("path", sorted(FACTS | DEFAULTS))
def test_nothing_printed_means_not_installed_yet(path: str) -> None:
    assert path in DEFAULTS, "what does it say of a host that printed nothing?"
    assert FACTS[path].default() == DEFAULTS[path]
