"""A disk that fills up during an update: the portal goes on with what it has, and the next run makes up for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.harness import deploy, variants
from tests.lab.harness.convergence import differing
from tests.lab.harness.portal_host import NAME, PortalHost

pytestmark = [pytest.mark.guarantee("kills"), pytest.mark.portal("ckan")]

# CKAN's environment on a disk of its own, with room for 30 MB more.
_SMALL = """
used=$(du -sm /usr/lib/ckan | cut -f1); mkdir /mnt/ckan
mount -t tmpfs -o size=$((used + 30))m,mode=755 tmpfs /mnt/ckan
cp -a /usr/lib/ckan/. /mnt/ckan/; mount --bind /mnt/ckan /usr/lib/ckan
supervisorctl restart all >/dev/null
"""


def test_an_update_that_fills_the_disk(converged: PortalHost, tmp_path: Path) -> None:
    portal_host = converged
    portal_host.mark_changed()
    other = variants.older_checkout(tmp_path)
    portal_host.run("sh", "-ec", _SMALL)
    portal_host.wait_until_up()
    version = _version(portal_host)
    done = deploy.pyinfra("deploy.py", "-y", root=other)
    assert done.status == 1
    assert "the disk of /usr/lib/ckan is full" in done.output
    assert "Traceback" not in done.output
    assert _version(portal_host) == version
    assert differing() == []
    assert int(portal_host.run("sh", "-c", "df -m --output=avail /usr/lib/ckan | tail -n 1")) >= 20, (
        "what was built is left"
    )
    assert deploy.plan() == {}

    portal_host.run("mount", "-o", "remount,size=4g", "/usr/lib/ckan")
    assert "CKAN | Build CKAN's environment" in deploy.plan_and_apply(root=other)[NAME]
    portal_host.wait_until_up()
    assert _version(portal_host) != version


def _version(portal_host: PortalHost) -> str:
    """CKAN's version, as the portal says it."""
    portal_host.run("curl", "-sf", "-o", "/dev/null", "http://127.0.0.1:8080/api/3/action/package_search")
    return portal_host.run("curl", "-sf", "http://127.0.0.1:8080/api/3/action/status_show").split('"ckan_version": "')[
        1
    ][:8]
