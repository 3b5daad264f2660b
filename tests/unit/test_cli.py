"""config.py through pyinfra's real command line: what names nothing stops the run, with one clear sentence."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit import programs

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Copy what pyinfra reads at its start; hosts are never connected to."""
    folder = tmp_path / "checkout"
    for name in ("facts", "group_data", "inventory", "locks", "operations", "pyinfra_adapter", "settings"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "lab.py"))
    shutil.copy(ROOT / "config.py", folder)
    (folder / "deploy.py").write_text("raise SystemExit('the deploy was reached')\n")
    return folder


def pyinfra(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return programs.run(["-m", "pyinfra", *arguments], cwd=folder, env=environment)


def stopped(folder: Path, *arguments: str) -> str:
    """Run pyinfra, which must end with 1 and say one sentence; return that."""
    result = pyinfra(folder, *arguments)
    output = result.stdout + result.stderr
    assert result.returncode == 1, output
    assert "Traceback" not in output
    assert "internal exception" not in output
    assert "the deploy was reached" not in output
    assert "Connecting" not in output
    lines = [line for line in output.splitlines() if "there " in line or "select" in line or "belongs" in line]
    assert len(lines) == 1, output
    return lines[0]


@pytest.mark.parametrize(
    "inventory", ["inventory/prodution.py", "production", "inventory", "inventory/production", "data.example.org"]
)
def test_a_mistyped_inventory(inventory: str, checkout: Path) -> None:
    said = stopped(checkout, inventory, "deploy.py", "-y")
    assert f"there is no inventory {inventory}; there are inventory/dev.py, inventory/production.py" in said


@pytest.mark.parametrize("option", ["limit", "exclude"])
def test_a_selection_of_nobody(option: str, checkout: Path) -> None:
    said = stopped(checkout, "inventory/production.py", "deploy.py", "-y", f"--{option}", "sorl")
    assert f"--{option} sorl selects no host of inventory/production.py; groups are " in said
    assert "hosts are data, database, search" in said


def test_one_of_two_selections_is_of_nobody(checkout: Path) -> None:
    said = stopped(checkout, "inventory/production.py", "deploy.py", "--dry", "--limit", "solr", "--limit", "nosuch*")
    assert "--limit nosuch* selects no host" in said


def test_an_empty_group_selects_nobody(checkout: Path) -> None:
    said = stopped(checkout, "inventory/production.py", "deploy.py", "--dry", "--limit", "object_storage")
    assert "--limit object_storage selects no host" in said


def test_group_data_of_no_group(checkout: Path) -> None:
    (checkout / "group_data/prodution.py").write_text("portal_fqdn = 'x.example.org'\n")
    said = stopped(checkout, "inventory/production.py", "deploy.py", "--dry")
    assert "group_data/prodution.py belongs to no group and no inventory; it would be ignored" in said
    assert "production" in said


def test_from_another_folder(checkout: Path, tmp_path: Path) -> None:
    said = stopped(tmp_path, "inventory/typo.py", "deploy.py", "--chdir", str(checkout))
    assert "there is no inventory inventory/typo.py; there are inventory/dev.py, inventory/production.py" in said


@pytest.mark.parametrize("limit", [(), ("--limit", "search"), ("--limit", "solr"), ("--limit", "d*"), ("--limit", "*")])
def test_what_exists_goes_on(limit: tuple[str, ...], checkout: Path) -> None:
    result = pyinfra(checkout, "inventory/production.py", "debug-inventory", *limit)
    output = result.stdout + result.stderr
    assert result.returncode == 0, output
    assert "192.0.2.22" in output


def test_bad_settings_stop_the_run_with_every_sentence(checkout: Path) -> None:
    """The whole way: group data with mistakes, deploy.py's first line, status 1, nothing of a traceback."""
    (checkout / "deploy.py").write_text(
        "from pyinfra import host\nfrom settings.resolve import of_inventory\nof_inventory(host.inventory)\n"
    )
    (checkout / "inventory/portal_here.py").write_text(
        'portal = [("@local", {"address": "127.0.0.2", "redis_port": "many"})]\npostgresql = redis = solr = portal\n'
    )
    with (checkout / "group_data/all.py").open("a") as file:
        file.write("redis_prot = 1\nportal_fqdn = 'localhost'\n")
    result = pyinfra(checkout, "inventory/portal_here.py", "deploy.py", "--dry")
    output = result.stdout + result.stderr
    assert result.returncode == 1, output
    assert "the settings are not complete or not right; nothing was changed:" in output
    assert "group_data/all.py:7: redis_prot is no setting; did you mean redis_port?" in output
    assert "inventory/portal_here.py:1: redis_port = 'many': must be a whole number from 1024 to 65535; " in output
    assert "group_data/all.py:8: portal_fqdn = 'localhost': must be a full host name" in output
    assert "Connecting" not in output
    assert "the secret postgresql_password is missing" in output
    assert "the secret ckan_secret_key is missing" in output
    assert "Traceback" not in output
