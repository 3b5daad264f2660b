"""Facts from data files: what a host printed, and what is made of it."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api import FactBase

from facts.apt import AptState, Brought, Packages
from facts.certificate import Joined
from facts.ckan import CkanVersion, Database, DatabaseState, Version
from facts.ckan_data import Holdings, HoldingsState, Location
from facts.ckan_index import Index, IndexState
from facts.deb import Deb, DebState
from facts.download import Checksum, Unpacked
from facts.files import Managed, ManagedState
from facts.git import Checkouts
from facts.minio import Access, AccessState
from facts.nftables import Table, TableState
from facts.python import Environment, EnvironmentState
from facts.s3 import Semantics, SemanticsState
from facts.supervisor import Programs, ProgramsState
from facts.systemd import Present, Unit, UnitState
from facts.users import Home
from tests.unit.generated import fact_tests

pytestmark = pytest.mark.filterwarnings("ignore:No (requires )?command set")

TestManaged = fact_tests("files.Managed")
TestUnit = fact_tests("systemd.Unit")
TestPresent = fact_tests("systemd.Present")
TestPackages = fact_tests("apt.Packages")
TestBrought = fact_tests("apt.Brought")
TestEnvironment = fact_tests("python.Environment")
TestHostScratch = fact_tests("host.Scratch")
TestScratchRecorded = fact_tests("scratch.Recorded")
TestChecksum = fact_tests("download.Checksum")
TestUnpacked = fact_tests("download.Unpacked")
TestDeb = fact_tests("deb.Deb")
TestCheckouts = fact_tests("git.Checkouts")
TestPrograms = fact_tests("supervisor.Programs")
TestVersion = fact_tests("ckan.Version")
TestDatabase = fact_tests("ckan.Database")
TestIndex = fact_tests("ckan_index.Index")
TestLocation = fact_tests("ckan_data.Location")
TestHoldings = fact_tests("ckan_data.Holdings")
TestTable = fact_tests("nftables.Table")
TestHome = fact_tests("users.Home")
TestBasics = fact_tests("host.Basics")
TestUnmounted = fact_tests("host.Unmounted")
TestAccess = fact_tests("minio.Access")
TestSemantics = fact_tests("s3.Semantics")
TestJoined = fact_tests("certificate.Joined")


@pytest.mark.parametrize(
    ("fact", "default"),
    [
        (Managed, ManagedState(None)),
        (Unit, UnitState()),
        (Present, ()),
        (Packages, AptState()),
        (Brought, ()),
        (Environment, EnvironmentState()),
        (Checksum, None),
        (Unpacked, None),
        (Deb, DebState()),
        (Checkouts, {}),
        (Programs, ProgramsState()),
        (Version, CkanVersion()),
        (Database, DatabaseState()),
        (Index, IndexState()),
        (Location, ""),
        (Holdings, HoldingsState()),
        (Table, TableState()),
        (Home, None),
        (Access, AccessState()),
        (Semantics, SemanticsState()),
        (Joined, False),
    ],
)
def test_nothing_printed_means_not_installed_yet(fact: type[FactBase[Any]], default: object) -> None:
    assert fact.default() == default
