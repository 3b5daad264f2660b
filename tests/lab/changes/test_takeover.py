"""A portal made by hand is refused untouched; with the settings of docs/takeover.md all of it survives the run."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import state
from settings.releases import RELEASES
from tests.lab.harness import acceptance, deploy, handmade, oracle, secret_store, variants
from tests.lab.harness.acceptance import Portal, ask, visit
from tests.lab.harness.deployments import CKAN
from tests.lab.harness.jobs import until
from tests.lab.harness.portal_host import FQDN, NAME, PortalHost

pytestmark = [pytest.mark.guarantee("takeover"), pytest.mark.portal("ckan")]

LOG = "/var/log/ckan-programs/ckan-worker.log"
CERTIFICATE = f"/etc/ssl/certs/{FQDN}.cert"
# The settings of docs/takeover.md, for this portal.
KEPT: dict[str, Any] = {
    "ckan_site_title": "Water levels",
    "ckan_locale": "de",
    "ckan_storage_path": handmade.STORAGE,
    "ckan_smtp_server": "mail.example.org:587",
    "ckan_mail_from": "portal@example.org",
    "ckan_options": {
        "ckan.site_about": handmade.ABOUT,
        "ckan.auth.create_user_via_web": "true",
    },
    "tls_country": "DE",
    "tls_state": "Bavaria",
    "tls_locality": "Erlangen",
    "tls_organization": "Water board",
    "tls_email": "admin@example.org",
}


@pytest.fixture
def made(portal_host: PortalHost, tmp_path: Path) -> Iterator[Portal]:
    """Make a portal by hand, with a dataset and a file."""
    portal_host.restore(portal_host.bare(CKAN))
    portal_host.mark_changed()
    address = state.host(NAME).address
    token = handmade.make(address, RELEASES[CKAN.release].python)
    cafile = tmp_path / "portal.pem"
    cafile.write_text(portal_host.read(CERTIFICATE))
    portal = Portal(FQDN, address, str(cafile), "ana", "hand-made-user")
    portal_host.run("sh", "-c", f"echo {token} > /root/token")
    yield portal


def test_a_portal_made_by_hand(made: Portal, portal_host: PortalHost, tmp_path: Path) -> None:
    token = portal_host.read("/root/token").strip()
    before = oracle.snapshot(NAME)
    certificate = portal_host.read(CERTIFICATE)
    for options in (["-y"], ["--dry"]):
        refused = deploy.pyinfra("deploy.py", *options)
        assert refused.status == 1, refused.output
        assert re.search(
            r"portal cannot be deployed, nothing was changed: it has a portal that ckan-deploy did not deploy "
            r"\(/etc/ckan/default/ckan\.ini, 1 datasets, \d users, 1 files in /srv/water, 2 waiting jobs, the "
            rf"certificate {CERTIFICATE}\), and a run would end all sessions .*make all API tokens invalid .*leave its "
            r"files behind .*replace its certificate \(its subject changes: [^)]*\), change or drop these options: "
            r"ckan\.auth\.create_user_via_web, ckan\.locale_default, ckan\.site_about, ckan\.site_title, "
            r"smtp\.mail_from, smtp\.server; keep that with the settings that docs/takeover\.md names, or take the "
            r'host over regardless with base_take_over = \["portal"\]',
            refused.stderr,
        ), refused.stderr
        assert handmade.PASSWORD not in refused.output
    assert oracle.difference(before, oracle.snapshot(NAME)) == []

    with visit(made) as session, secret_store.unchanged():
        assert acceptance.enters(session, made, made.password, "/user/edit")
        ini = portal_host.read("/etc/ckan/default/ckan.ini")
        found = re.search(r"^SECRET_KEY *= *(\S+)", ini, re.M)
        assert found
        secret_store.give("ckan_secret_key", found[1])
        kept = variants.inventory(KEPT, tmp_path)
        deploy.plan_and_apply(inventory=kept)
        portal_host.wait_until_up()
        assert deploy.plan_and_apply(inventory=kept) == {}

        assert portal_host.read(CERTIFICATE) == certificate
        dashboard = session.get(f"{made.url}/dashboard/datasets", timeout=300, allow_redirects=False)
        assert dashboard.status_code == 200, "the session has ended"
        assert handmade.ABOUT in session.get(f"{made.url}/about", timeout=300).text
        until(lambda: portal_host.read(LOG).count("A test job") >= 2, "the waiting jobs are done")
    with visit(made) as session:
        session.headers["Authorization"] = token
        assert ask(session, made, "user_show", {"id": "ana"})["sysadmin"]
        (dataset,) = ask(session, made, "package_search", {"q": "regnitz"})["results"]
        (resource,) = dataset["resources"]
        assert session.get(resource["url"], timeout=300).text == handmade.CONTENT
    _what_was_replaced_is_kept(portal_host, ini)


def _what_was_replaced_is_kept(portal_host: PortalHost, ini: str) -> None:
    """Only root can read it. What packages brought, and nobody changed, is not there."""
    (day,) = portal_host.run("ls", "/var/backups/ckan-deploy").split()
    folder = f"/var/backups/ckan-deploy/{day}"
    assert portal_host.read(f"{folder}/etc/ckan/default/ckan.ini") == ini
    assert portal_host.run("stat", "-c", "%a %U", "/var/backups/ckan-deploy").split() == ["700", "root"]
    copied = set(portal_host.run("find", folder, "!", "-type", "d", "-printf", "/%P\n").split())
    assert copied >= {"/etc/nginx/sites-enabled/ckan", "/etc/supervisor/conf.d/ckan-uwsgi.conf"}
    assert not {"/etc/redis/redis.conf", "/etc/nginx/nginx.conf", "/etc/supervisor/supervisord.conf"} & copied
