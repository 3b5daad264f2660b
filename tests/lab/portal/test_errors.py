"""What goes wrong is said in one sentence, with exit status 1, and nothing is left half done."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.lab.harness import deploy, deployments, nginx_checks, oracle
from tests.lab.harness.portal_host import NAME, PortalHost, portal_of

pytestmark = pytest.mark.portal("ckan")

TRACEBACK = "Traceback (most recent call last)"


def _refused(*options: str, says: str, inventory: str | None = None) -> deploy.Run:
    done = deploy.pyinfra("deploy.py", "-y", *options, inventory=inventory)
    assert done.status == 1, done.output
    assert re.search(says, done.stderr), done.stderr
    assert "No hosts remaining" not in done.stderr
    assert TRACEBACK not in done.output, done.output
    return done


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--data", "solr_port=70000"], r"--data: solr_port = 70000: must be .* to 65535"),
        (["--data", "sorl_port=8983"], r"--data: sorl_port is no setting; did you mean solr_port\?"),
        (["--limit", "nobody"], r"--limit nobody selects no host .*groups are .*portal"),
        (["--data", "solr_sha512=" + "f" * 128], r"has the sha512 [0-9a-f]{128}, not the wanted f{128}"),
        (["--data", "base_minimum_memory=99999999"], r"MiB of memory, less than base_minimum_memory = 99999999"),
    ],
    ids=["bad setting", "unknown setting", "nobody selected", "wrong checksum", "too little memory"],
)
def test_a_run_that_cannot_be_right_changes_nothing(converged: PortalHost, options: list[str], says: str) -> None:
    before = oracle.snapshot(NAME)
    _refused(*options, says=says)
    assert oracle.difference(before, oracle.snapshot(NAME)) == []


def test_all_missing_secrets_are_listed_before_any_change(converged: PortalHost, tmp_path: Path) -> None:
    before = oracle.snapshot(NAME)
    done = _refused("--data", f"secrets_folder={tmp_path}", "--data", "secrets_generate=false", says="is missing")
    for name in ("ckan_secret_key", "ckan_sysadmin_password", "postgresql_password"):
        assert f"the secret {name} is missing in {tmp_path}/lab.toml: make it with " in done.stderr
    assert f"`python -m settings.secrets generate {deployments.current().inventory}`" in done.stderr
    assert not list(tmp_path.iterdir())
    assert oracle.difference(before, oracle.snapshot(NAME)) == []


def test_a_mistyped_inventory_stops(converged: PortalHost) -> None:
    before = oracle.snapshot(NAME)
    _refused(
        inventory="inventory/labb.py", says=r"there is no inventory inventory/labb\.py; there are .*inventory/lab\.py"
    )
    assert oracle.difference(before, oracle.snapshot(NAME)) == []


def test_an_unsupported_release_stops_in_preflight(converged: PortalHost) -> None:
    other = "sed 's/^VERSION_CODENAME=.*/VERSION_CODENAME=focal/' /root/os-release > /etc/os-release"
    converged.run("sh", "-ec", f"cp /etc/os-release /root; mv /etc/os-release /root/os-release.link; {other}")
    before = oracle.snapshot(NAME)
    _refused(says=r"portal cannot be deployed, nothing was changed: it runs .*supported are Ubuntu 24\.04")
    assert oracle.difference(before, oracle.snapshot(NAME)) == []
    converged.run("sh", "-ec", "rm /root/os-release; mv /root/os-release.link /etc/os-release")


def test_a_run_says_its_verdict(converged: PortalHost) -> None:
    """A converged one in few lines; the plan of a change names what restarts; programs get an exit status."""
    before = oracle.snapshot(NAME)
    done = deploy.pyinfra("deploy.py", "-y")
    assert done.status == 0, done.output
    assert len(done.output.splitlines()) < 12, done.output
    verdict = (
        r"portal: 0 of \d{3} operations changed in [\d.]+ (s|min \d+ s); https://portal\.test answers, CKAN 2\.11\.\d+"
    )
    assert re.fullmatch(verdict, done.stdout.splitlines()[-1]), done.output
    for options, status, says in (
        ([], 0, r"Plan: nothing to change, \d{3} as wanted on 1 host"),
        (["--data", "uwsgi_workers=3"], 2, r"Plan: \d+ to change on 1 host, \d+ as wanted; restarts CKAN"),
        (["--data", "uwsgi_workers=many"], 1, ""),
    ):
        done = deploy.planned(*options)
        assert done.status == status, done.output
        assert len(done.output.splitlines()) < 12, done.output
        assert re.fullmatch(says, (done.stdout.splitlines() or [""])[-1]), done.output
    assert oracle.difference(before, oracle.snapshot(NAME)) == []


RENAMED = """
supervisorctl stop all >/dev/null
pg_ctlcluster 15 main stop; pg_renamecluster 15 main old; sed -i 's/^auto$/manual/' /etc/postgresql/15/old/start.conf
pg_createcluster 15 main >/dev/null
"""
# As docs/upgrading.md has it, and the empty one goes.
PUT_BACK = """
systemctl stop postgresql@15-main
pg_dropcluster 15 main; pg_renamecluster 15 old main; sed -i 's/^manual$/auto/' /etc/postgresql/15/main/start.conf
systemctl daemon-reload; systemctl start postgresql@15-main; supervisorctl start all >/dev/null
"""


# What an earlier ckan-deploy noted: the folder, when it was newer than the cluster in it.
OLD_NOTES = """
cd /var/lib/ckan-deploy; rm ckan/database
for note in postgresql/*.ckan_default; do sed 1q $note > note; touch -r $note note; mv note $note; done
"""


def test_a_cluster_made_in_place_of_ckans_stops_in_preflight(converged: PortalHost) -> None:
    number = converged.run("sh", "-c", "od -An -t u8 -N 8 /var/lib/postgresql/15/main/global/pg_control").strip()
    for change in (RENAMED, "systemctl start postgresql@15-main", OLD_NOTES):
        converged.run("sh", "-ec", change)
        before = oracle.snapshot(NAME)
        _refused(says=rf"cluster 15/main is number \d+, while that of the last run is 15/old \(number {number}")
        assert oracle.difference(before, oracle.snapshot(NAME)) == []
    converged.run("sh", "-ec", PUT_BACK)
    assert [name.partition(" | ")[2] for name in deploy.plan_and_apply()[NAME]] == [
        "Set up CKAN's database role", "Set up CKAN's database", "Note which database CKAN has",
    ]  # fmt: skip
    converged.wait_until_up()


def test_a_site_that_nginx_refuses_is_not_installed(converged: PortalHost, tmp_path: Path) -> None:
    """The old site is back, and served; with the cause removed the next run converges."""
    site = "/etc/nginx/sites-enabled/ckan"
    before = converged.read(site)
    converged.run("sh", "-c", "echo 'no_such_directive on;' > /etc/nginx/conf.d/broken.conf")
    _refused("--data", "portal_upload_limit=77", says=rf"{site} was refused by 'nginx -t'")
    assert converged.read(site) == before
    assert "77m" not in before
    status = ["curl", "-sk", "-o", "/dev/null", "-w", "%{http_code}", "--resolve", "portal.test:443:127.0.0.1"]
    assert converged.run(*status, "https://portal.test/about") == "200"
    converged.run("rm", "/etc/nginx/conf.d/broken.conf")
    assert "nginx | Configure the portal's site" in deploy.plan_and_apply("--data", "portal_upload_limit=77")[NAME]
    assert "77m" in converged.read(site)
    portal = portal_of(tmp_path)
    nginx_checks.largest_request(portal.address, portal.fqdn, portal.cafile, 77)
    nginx_checks.upload_limit(portal.address, portal.fqdn, portal.cafile, 77)
    assert deploy.plan("--data", "portal_upload_limit=77") == {}
    deploy.apply()


def test_a_foreign_process_on_one_of_our_ports_stops_in_preflight(converged: PortalHost) -> None:
    """By name, and before anything is changed; our own services on their ports stop nothing, as all else here shows."""
    converged.run("supervisorctl", "stop", "ckan-uwsgi:*")
    converged.run("systemd-run", "--unit=squatter", "python3", "-m", "http.server", "8080", "--bind", "127.0.0.1")
    before = oracle.snapshot(NAME)
    _refused(
        says=r"nothing was changed: port 8080, which uWSGI needs, is taken by python3 "
        r"\(process \d+, squatter\.service\): "
        r"stop and disable squatter\.service, or set uwsgi_port to a free port"
    )
    assert oracle.difference(before, oracle.snapshot(NAME)) == []
    converged.run("systemctl", "stop", "squatter")
    # The next test's run starts it again.


def test_a_portal_that_does_not_come_up_fails_the_run(converged: PortalHost) -> None:
    """CKAN starts, but nobody reaches its web application: the sentence names the log."""
    closed = "table inet closed { chain out { type filter hook output priority 0; tcp dport 8080 reject; }; }"
    converged.run("nft", closed)
    says = r"the portal is not well after 20 seconds: https://portal\.test/\S+ answers .*; see /var/log/ckan-programs/"
    _refused("--data", "ckan_start_seconds=20", says=says)
    converged.run("nft", "delete table inet closed")
    deploy.apply()
    converged.wait_until_up()
