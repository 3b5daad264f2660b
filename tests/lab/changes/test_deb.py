"""CKAN out of its own package: the lab's stand-in for it (`lab/deb_build.py`).

On one release. A host goes from the lock to the package, to another package, and back, in one run each.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import deb_build, inside, mirror
from settings.locks import schema
from tests.lab.harness import deploy, faults, host_files, oracle
from tests.lab.harness.convergence import differing
from tests.lab.harness.deployments import CKAN
from tests.lab.harness.portal_host import NAME, PortalHost

pytestmark = [pytest.mark.guarantee("package"), pytest.mark.portal("ckan")]

RELEASE = CKAN.release
VERSION = schema()["version"]
DEB = ("--data", "ckan_source=deb")
ENVIRONMENT = "/usr/lib/ckan/default"
# What the package and its maintainer script bring that is ours, or that nobody wants.
NEVER = (
    "/etc/ckan/datapusher",
    "/etc/cron.daily/remove_old_sessions",
    "/etc/nginx/sites-available/ckan",
    "/etc/supervisor/conf.d/ckan-datapusher.conf",
    "/usr/bin/.ckan.ckan-deploy",
    "/usr/lib/ckan/datapusher",
    f"{ENVIRONMENT}.deb",
)


@pytest.fixture(scope="module")
def package() -> Path:
    return deb_build.ensure_deb(RELEASE)


@pytest.fixture
def packed(package: Path) -> Iterator[list[Path]]:
    """Variants of the package that a test packs for itself; they go with it."""
    made: list[Path] = []
    yield made
    for path in made:
        path.unlink()


def variant(package: Path, packed: list[Path], version: str) -> tuple[str, ...]:
    """Options for a package of another version, whose own configuration and command are others, too."""
    target = package.with_name(f"test-{version}.deb")
    files = {"usr/bin/ckan": "#!/bin/sh\n# newer\n", "usr/lib/ckan/default/newer": "newer\n"}
    for path in ("etc/nginx/sites-available/ckan", "etc/ckan/default/wsgi.py", "etc/supervisor/conf.d/ckan-uwsgi.conf"):
        files[path] = "# newer\n"
    packed.append(target)
    sha256 = deb_build.variant(package, target, version=version, files=files)
    url = f"{mirror.url()}/ckan/{target.name}"
    return (*DEB, "--data", f"ckan_deb_url={url}", "--data", f"ckan_deb_sha256={sha256}")


def holds_the_package(portal_host: PortalHost, version: str) -> None:
    """Dpkg has it, the environment is its, the lock is kept in it, our files are ours, and the portal answers."""
    assert portal_host.run("dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Version}", "python-ckan") == f"ii {version}"
    assert portal_host.run("dpkg", "--audit") == ""
    assert host_files.there(*NEVER) == []
    assert portal_host.run("sh", "-c", f"ls -d {ENVIRONMENT}/src/ckan").strip()  # only the package has the source
    code = "import importlib.metadata as m; print(m.version('ckan'), m.version('setuptools'))"
    ckan, setuptools = portal_host.run(f"{ENVIRONMENT}/bin/python", "-I", "-c", code).split()
    assert ckan == VERSION
    assert int(setuptools.partition(".")[0]) < 82  # the package has a newer one
    for path in (
        "/usr/bin/ckan",
        "/etc/ckan/default/wsgi.py",
        "/etc/ckan/default/ckan-uwsgi.ini",
        "/etc/supervisor/conf.d/ckan-uwsgi.conf",
        "/etc/supervisor/conf.d/ckan-worker.conf",
    ):
        assert "ckan-deploy" in portal_host.read(path)
    assert portal_host.run("ckan", "sysadmin", "list")
    assert answers(portal_host)
    assert differing() == []


def answers(portal_host: PortalHost) -> bool:
    command = ["curl", "-sk", "--resolve", "portal.test:443:127.0.0.1", "https://portal.test/api/3/action/status_show"]
    return f'"ckan_version": "{VERSION}"' in inside.run(NAME, command, check=False).stdout


def test_to_the_package_to_another_and_back(converged: PortalHost, package: Path, packed: list[Path]) -> None:
    portal_host = converged
    portal_host.mark_changed()
    before = oracle.essence(oracle.snapshot(NAME))

    changed = deploy.plan_and_apply(*DEB)[NAME]
    assert "CKAN | Build CKAN's environment" in changed
    assert "uWSGI | Run CKAN with its newest code and configuration" in changed
    holds_the_package(portal_host, f"{VERSION}-{RELEASE}")
    settled = oracle.snapshot(NAME)
    assert deploy.plan(*DEB) == {}
    assert deploy.apply(*DEB) == {}
    assert oracle.difference(settled, oracle.snapshot(NAME)) == []

    # Another file than the chosen one, and a package of another CKAN: the old portal serves on.
    done = deploy.pyinfra("deploy.py", "-y", *DEB, "--data", f"ckan_deb_sha256={'f' * 64}")
    assert done.status == 1
    assert re.search(
        r"has the sha256 [0-9a-f]{64}, not the wanted f{64}; nothing was installed: .*overwrite", done.stderr
    )
    assert oracle.difference(settled, oracle.snapshot(NAME)) == []
    done = deploy.pyinfra("deploy.py", "-y", *variant(package, packed, f"2.10.1-{RELEASE}"))
    assert done.status == 1
    assert f"is python-ckan 2.10.1-{RELEASE}, but the lock is for CKAN {VERSION}" in done.stderr
    assert f"python-ckan {VERSION}-{RELEASE} would fit" in done.stderr
    left = oracle.difference(settled, oracle.snapshot(NAME))
    assert all(re.match(r"files: /(var/cache|run)/ckan-deploy/", line) for line in left), left  # the file and a lock
    assert answers(portal_host)

    # Same CKAN, packed anew: its own configuration has changed, ours stays.
    newer = variant(package, packed, f"{VERSION}-{RELEASE}2")
    changed = deploy.plan_and_apply(*newer)[NAME]
    assert set(changed) == {
        "CKAN | Download CKAN's package",
        "CKAN | Build CKAN's environment",
        "uWSGI | Run CKAN with its newest code and configuration",
        "Workers | Run the workers with their newest code and configuration",
        "Workers | Remove the former environment of CKAN",
    }
    assert portal_host.read(f"{ENVIRONMENT}/newer") == "newer\n"
    holds_the_package(portal_host, f"{VERSION}-{RELEASE}2")
    assert deploy.plan(*newer) == {}

    changed = deploy.plan_and_apply()[NAME]
    assert "CKAN | Take CKAN's package off the books" in changed
    assert deploy.plan() == {}
    assert answers(portal_host)
    after = oracle.essence(oracle.snapshot(NAME))
    assert oracle.difference(before, after) == []


def test_the_plan_of_a_bare_host_is_what_the_run_changes(portal_host: PortalHost, package: Path) -> None:
    portal_host.deployed(CKAN)
    portal_host.restore(portal_host.bare(CKAN))
    assert "CKAN | Build CKAN's environment" in deploy.plan_and_apply(*DEB)[NAME]
    assert deploy.apply(*DEB) == {}
    holds_the_package(portal_host, f"{VERSION}-{RELEASE}")


@pytest.mark.parametrize("moment", [r"^dpkg .*--install", r"bin/python -m pip .*install"], ids=["dpkg", "pip"])
def test_a_power_cut_while_it_is_built(converged: PortalHost, package: Path, moment: str) -> None:
    """The old portal comes up again; what dpkg had half done stops nothing, and is made up for by the next run."""
    portal_host = converged
    portal_host.mark_changed()
    operation = "CKAN | Build CKAN's environment"
    run = faults.Watched(*DEB)
    run.began(operation)
    faults.wait_until_running(moment, run, operation)
    faults.strike(run, "power-off")
    portal_host.wait_until_up()
    assert answers(portal_host)
    deploy.apply(*DEB)
    holds_the_package(portal_host, f"{VERSION}-{RELEASE}")
    assert deploy.plan(*DEB) == {}


def test_a_package_that_somebody_left_half_installed(converged: PortalHost, package: Path) -> None:
    """Also where CKAN does not come from it: apt would do nothing else until it is repaired."""
    portal_host = converged
    portal_host.mark_changed()
    before = oracle.essence(oracle.snapshot(NAME))
    portal_host.run("sh", "-c", _HALF_INSTALLED, "sh", f"{mirror.url()}/ckan/{package.name}")
    assert portal_host.run("dpkg-query", "-W", "-f", "${db:Status-Abbrev}", "python-ckan") == "iHR"
    portal_host.run("dpkg", "--remove", "--force-depends", "logrotate")
    deploy.apply()
    assert deploy.plan() == {}
    assert answers(portal_host)
    assert oracle.difference(before, oracle.essence(oracle.snapshot(NAME))) == []


# Unpacked elsewhere, and killed once some of its thousands of files are there: what dpkg's books say is what a power
# cut leaves there.
_HALF_INSTALLED = """
set -e
cd /tmp; curl -sf -o half.deb "$1"
mkdir /tmp/half
unshare --mount sh -ec 'mount --bind /tmp/half /usr/lib/ckan
  dpkg --path-exclude="/etc/*" --path-exclude=/usr/bin/ckan --unpack /tmp/half.deb >/dev/null & dpkg=$!
  until [ "$(find /tmp/half -type f | wc -l)" -ge 100 ]; do kill -0 $dpkg; done
  kill -KILL $dpkg; wait $dpkg || [ $? = 137 ]'
rm -r half.deb /tmp/half
"""
