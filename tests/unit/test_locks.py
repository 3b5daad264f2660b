"""The locks of the flavours: DCOR's keeps what CKAN pins, and what its extensions cannot do without."""

from __future__ import annotations

import pytest

from operations.python import locked_versions
from settings.flavours import FLAVOURS
from settings.locks import lock
from settings.releases import RELEASES

PYTHONS = sorted({release.python for release in RELEASES.values()})


def test_each_flavour_has_a_lock_for_each_python() -> None:
    for flavour in FLAVOURS:
        for python in PYTHONS:
            assert locked_versions(lock(flavour, python))["ckan"] == "2.11.6"


@pytest.mark.parametrize("python", PYTHONS)
def test_dcor_keeps_all_that_plain_ckan_pins(python: str) -> None:
    ckan, dcor = (locked_versions(lock(flavour, python)) for flavour in ("ckan", "dcor"))
    assert {name: dcor.get(name) for name in ckan} == ckan


@pytest.mark.parametrize("python", PYTHONS)
def test_dcor_starts_with_its_versions(python: str) -> None:
    """Its extensions import pkg_resources, which setuptools 82 removed, and CKAN 2.11 needs what rq 2 removed."""
    versions = locked_versions(lock("dcor", python))
    assert int(versions["setuptools"].split(".")[0]) < 82
    assert int(versions["rq"].split(".")[0]) < 2
    assert versions["dcor-control"] == "1.17.3"
