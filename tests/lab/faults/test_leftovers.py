"""What dead runs and interrupted tools leave on a host does not stop the next run, and is gone afterwards."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.lab.harness import faults, oracle
from tests.lab.harness.convergence import converges
from tests.lab.harness.portal_host import NAME, PortalHost

pytestmark = [pytest.mark.guarantee("kills"), pytest.mark.portal("ckan")]

LONG = 3600  # seconds: longer than all else
INSTALL = "Base | Install base packages"


def interrupted_dpkg(portal_host: PortalHost) -> None:
    """Kill dpkg in the middle of a package: it has something to be repaired."""
    portal_host.run("sh", "-ec", _KILL_DPKG)
    assert portal_host.run("dpkg-query", "-W", "-f", "${db:Status-Abbrev}", "curl") == "iHR"
    assert portal_host.run("ls", "/var/lib/dpkg/updates"), "dpkg's books are in order"


# The script of the installed package that dpkg runs when the new one's files are there. It does this once.
_KILL_DPKG = r"""
script=/var/lib/dpkg/info/curl.postrm
[ ! -e $script ]
printf '#!/bin/sh\nrm "$0"; kill -KILL "$PPID"\n' > $script
chmod 755 $script
if DEBIAN_FRONTEND=noninteractive apt-get -q -y install --reinstall openssl curl >/dev/null 2>&1; then exit 1; fi
"""


def half_an_environment(portal_host: PortalHost) -> None:
    """Leave what a power cut in the first build leaves: a slot without its link, packages missing."""
    portal_host.run(
        "sh", "-c", "rm /usr/lib/ckan/default; rm -rf /usr/lib/ckan/default.?/lib/python3*/site-packages/[b-s]*"
    )


def core_without_schema(portal_host: PortalHost) -> None:
    """Solr runs, its core does not."""
    core = "/var/solr/data/ckan"
    portal_host.run(
        "sh", "-c", f"systemctl stop solr; rm -r {core}/conf/schema.xml {core}/data; systemctl --no-block start solr"
    )


def half_written_files(portal_host: PortalHost) -> None:
    """Leave successors that were never renamed, and a site that was being checked."""
    portal_host.run("sh", "-c", _HALF_WRITTEN)


_HALF_WRITTEN = """
set -e
for file in /etc/ckan/default/ckan.ini /etc/redis/redis.conf /etc/nginx/sites-enabled/ckan /usr/bin/ckan \
    /var/solr/data/ckan/conf/schema.xml /etc/systemd/system/solr.service; do
  head -c 100 "$file" > "$(dirname "$file")/.$(basename "$file").ckan-deploy"
done
site=/etc/nginx/sites-enabled/ckan
cp -p $site /etc/nginx/sites-enabled/.ckan.ckan-deploy.old
echo 'no_such_directive on;' >> $site
"""


def half_a_download(portal_host: PortalHost) -> None:
    """Leave a download and an unpacked folder that were not finished."""
    portal_host.run("sh", "-c", _HALF_A_DOWNLOAD)


_HALF_A_DOWNLOAD = """
set -e
cd /var/cache/ckan-deploy; for file in solr-*.tgz; do head -c 1000000 "$file" > "$file.part"; rm "$file"; done
cd /opt; for folder in solr-*; do mv "$folder" "$folder.new"; rm -r "$folder.new/server"; done
"""

LEFTOVERS: list[Callable[[PortalHost], None]] = [
    half_written_files,
    core_without_schema,
    half_an_environment,
    half_a_download,
    interrupted_dpkg,
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "leftovers" in metafunc.fixturenames:
        long = metafunc.config.getoption("--long")
        sets = [[leftover] for leftover in LEFTOVERS] if long else [LEFTOVERS]
        ids = [leftover.__name__ for leftover in LEFTOVERS] if long else ["all at once"]
        metafunc.parametrize("leftovers", sets, ids=ids)


def test_leftovers_are_made_up_for(converged: PortalHost, leftovers: list[Callable[[PortalHost], None]]) -> None:
    expected = oracle.essence(oracle.snapshot(NAME))
    converged.mark_changed()
    for leftover in leftovers:
        leftover(converged)
    converges(expected)


def test_a_held_dpkg_lock_is_waited_for(converged: PortalHost) -> None:
    converged.mark_changed()
    before = oracle.essence(oracle.snapshot(NAME))
    converged.run("dpkg", "--remove", "--force-depends", "logrotate")
    faults.hold_dpkg(LONG)
    run = faults.Watched()
    run.began(INSTALL)
    faults.wait_until_running("^sleep 2$", run, INSTALL)  # between two attempts
    faults.release_dpkg()
    assert run.end() == 0, run.tail()
    assert [step.name for step in run.steps if step.result == "Success"] == [INSTALL]
    assert oracle.difference(before, oracle.essence(oracle.snapshot(NAME))) == []
