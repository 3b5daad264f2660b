"""Facts from data files: what a host printed, and what is made of it."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api import FactBase

from facts.apt import AptState, Brought, Packages
from facts.ckan import CkanVersion, Database, DatabaseState, Version
from facts.ckan_data import Holdings, HoldingsState, Location
from facts.ckan_index import Index, IndexState
from facts.download import Checksum, Unpacked
from facts.files import Managed, ManagedState
from facts.nftables import Table, TableState
from facts.python import Environment, EnvironmentState
from facts.supervisor import Program, ProgramState
from facts.systemd import Unit, UnitState
from facts.users import Home
from tests.unit.generated import fact_tests

pytestmark = pytest.mark.filterwarnings("ignore:No (requires )?command set")

TestManaged = fact_tests("files.Managed")
TestUnit = fact_tests("systemd.Unit")
TestPackages = fact_tests("apt.Packages")
TestBrought = fact_tests("apt.Brought")
TestEnvironment = fact_tests("python.Environment")
TestChecksum = fact_tests("download.Checksum")
TestUnpacked = fact_tests("download.Unpacked")
TestProgram = fact_tests("supervisor.Program")
TestVersion = fact_tests("ckan.Version")
TestDatabase = fact_tests("ckan.Database")
TestIndex = fact_tests("ckan_index.Index")
TestLocation = fact_tests("ckan_data.Location")
TestHoldings = fact_tests("ckan_data.Holdings")
TestTable = fact_tests("nftables.Table")
TestHome = fact_tests("users.Home")
TestBasics = fact_tests("host.Basics")


@pytest.mark.parametrize(
    ("fact", "default"),
    [
        (Managed, ManagedState(None)),
        (Unit, UnitState()),
        (Packages, AptState()),
        (Brought, ()),
        (Environment, EnvironmentState()),
        (Checksum, None),
        (Unpacked, None),
        (Program, ProgramState()),
        (Version, CkanVersion()),
        (Database, DatabaseState()),
        (Index, IndexState()),
        (Location, ""),
        (Holdings, HoldingsState()),
        (Table, TableState()),
        (Home, None),
    ],
)
def test_nothing_printed_means_not_installed_yet(fact: type[FactBase[Any]], default: object) -> None:
    assert fact.default() == default
