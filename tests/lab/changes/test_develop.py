"""A development host: DCOR's packages from git, editable; work in them is kept, a task updates them, and back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab import git_mirror, mirror
from settings.develop import FOLDER, PACKAGES
from tests.lab.harness import deploy, host_files, variants
from tests.lab.harness.portal_host import PortalHost

pytestmark = [pytest.mark.guarantee("develop"), pytest.mark.portal("dcor")]  # it builds CKAN's environment four times

PIP = "/usr/lib/ckan/default/bin/pip"
RESTARTS = [
    "uWSGI | Run CKAN with its newest code and configuration",
    "Workers | Run the workers with their newest code and configuration",
]


def _inventory(folder: Path, name: str, **data: Any) -> str:
    (folder / name).mkdir()
    return variants.inventory({"portal_flavour": "dcor", "dcor_scratch_space": 0, **data}, folder / name)


def test_development_host(converged: PortalHost, tmp_path: Path) -> None:
    """One host's life: each step begins where the one before ended."""
    portal_host = converged
    portal_host.mark_changed()
    git_mirror.ensure_git(mirror.folder())
    plain = _inventory(tmp_path, "plain")
    older = _inventory(tmp_path, "older", develop_enabled=True, develop_refs={"dcor_shared": "1.0.3"})
    newer = _inventory(tmp_path, "newer", develop_enabled=True)

    changed = deploy.plan_and_apply(inventory=older)["portal"]
    assert {f"Develop | Check out {package}" for package in PACKAGES} < set(changed)
    assert deploy.plan(inventory=older) == {}
    assert deploy.apply(inventory=older) == {}
    editable = _editable(portal_host)
    assert editable.keys() == set(PACKAGES)
    assert editable["dcor_shared"] == ("1.0.3", f"{FOLDER}/dcor_shared")
    assert editable["dcor_control"][0] == git_mirror.version_of("dcor_control")
    # CKAN runs the code in the folders.
    module = "import dcor_shared, ckanext.dc_serve.plugin as p; print(dcor_shared.__file__, p.__file__)"
    command = ("sudo", "-u", "www-data", "/usr/lib/ckan/default/bin/python", "-I", "-c", module)
    assert portal_host.run(*command).count(FOLDER) == 2

    # Work is kept, newer code is run, and nothing else changes.
    readme, code = f"{FOLDER}/dcor_control/README.rst", f"{FOLDER}/ckanext-dc_view/ckanext/dc_view/jobs.py"
    portal_host.run("sh", "-c", f"echo mine >> {readme}")
    assert deploy.plan(inventory=older) == {}
    portal_host.run("sh", "-c", f"echo '# mine' >> {code}")
    assert deploy.plan_and_apply(inventory=older)["portal"] == RESTARTS
    assert "# mine" in portal_host.read(code)
    portal_host.run("git", "-C", f"{FOLDER}/ckanext-dc_view", "checkout", "-q", ".")

    # Work that a move would lose stops the run before it changes anything.
    portal_host.run("sh", "-c", f"echo '# mine' >> {FOLDER}/dcor_shared/dcor_shared/util.py")
    refused = deploy.pyinfra("deploy.py", "-y", inventory=newer)
    assert refused.status == 1
    assert f"{FOLDER}/dcor_shared on portal has changes that are not committed (dcor_shared/util.py)" in refused.output
    assert "# mine" in portal_host.read(f"{FOLDER}/dcor_shared/dcor_shared/util.py")
    portal_host.run("git", "-C", f"{FOLDER}/dcor_shared", "checkout", "-q", ".")

    # The task moves to another version, and says so.
    done = _task("develop", older, "--ref", "dcor_shared=1.0.4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "dcor_shared: 1.0.3 (" in done.stdout
    assert ") -> 1.0.4 (" in done.stdout
    assert done.stdout.count(", as before") == len(PACKAGES) - 1
    assert "the next run goes back unless group data says: develop_refs = {'dcor_shared': '1.0.4'}" in done.stdout
    assert _editable(portal_host)["dcor_shared"][0] == "1.0.4"
    assert deploy.plan(inventory=newer) == {}

    # Not development any more: work stops that, too; without it nothing of it is left.
    refused = deploy.pyinfra("deploy.py", "--dry", inventory=plain)
    assert refused.status == 1
    assert f"{FOLDER}/dcor_control on portal has changes that are not committed (README.rst)" in refused.output
    portal_host.run("git", "-C", f"{FOLDER}/dcor_control", "checkout", "-q", ".")
    assert "Develop | Remove DCOR's checkouts" in deploy.plan_and_apply(inventory=plain)["portal"]
    assert deploy.plan(inventory=plain) == {}
    assert _editable(portal_host) == {}
    assert host_files.there(FOLDER) == []
    done = _task("test_extensions", plain)
    assert done.returncode == 1
    assert "has no development host (develop_enabled = True); nothing was done" in done.stderr


def _editable(portal_host: PortalHost) -> dict[str, tuple[str, str]]:
    """Versions and folders of the editable packages."""
    lines = portal_host.run(PIP, "--disable-pip-version-check", "list", "--editable").splitlines()[2:]
    return {name: (version, folder) for name, version, folder in (line.split() for line in lines)}


def _task(name: str, inventory: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", f"tasks.{name}", inventory, *arguments]
    return subprocess.run(command, cwd=deploy.ROOT, capture_output=True, text=True, timeout=1800, check=False)
