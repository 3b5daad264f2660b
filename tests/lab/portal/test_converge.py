"""The plan is exact, and the second run changes nothing: for each flavour, with everything real."""

from __future__ import annotations

import pytest

from lab import state
from tests.lab.harness import deploy, deployments, host_files, oracle, secret_store
from tests.lab.harness.deployments import Deployment
from tests.lab.harness.portal_host import NAME, PortalHost

pytestmark = pytest.mark.portal("ckan", "dcor", crossed=True)

# The file that holds each secret, where it is another one than CKAN's own; none holds any other.
INI = "/etc/ckan/default/ckan.ini"
HOMES: dict[str, set[str]] = {
    "an old one": set(),
    "ckan_sysadmin_password": set(),
    "the store's key": set(),
    "minio_root_password": {"/etc/default/minio"},
    "redis_password": {INI, "/etc/redis/redis.conf"},
}
# Of those that are not CKAN's: the journal, logs, files of the moment and files that anybody can read.
PLACES = (
    *("/etc", "/var/log", "/var/lib/ckan-deploy", "/tmp", "/var/tmp", "/run", "/usr/bin", "/root"),
    "/usr/lib/ckan/default/ckan-deploy.lock",
)


def test_the_plan_of_a_bare_host_is_what_the_run_changes(portal_host: PortalHost, deployment: Deployment) -> None:
    portal_host.deployed(deployment)
    first = portal_host.first_runs[deployment]
    assert first.planned == first.changed
    assert len(first.changed) > 50


def test_a_dry_run_changes_nothing_on_a_bare_host(portal_host: PortalHost, deployment: Deployment) -> None:
    """The first plan was made between two snapshots; the run that follows it changed what it named."""
    portal_host.deployed(deployment)
    assert portal_host.first_runs[deployment].by_planning == []


def test_the_second_run_changes_nothing(converged: PortalHost) -> None:
    before = oracle.snapshot(NAME)
    assert before["units"]["solr.service"]["MainPID"] != "0"
    assert deploy.plan() == {}
    assert oracle.difference(before, oracle.snapshot(NAME)) == []
    assert deploy.apply() == {}
    assert oracle.difference(before, oracle.snapshot(NAME)) == []


def test_folders_that_ckan_made_meanwhile_are_as_it_makes_them(converged: PortalHost) -> None:
    """Else `dcor inspect` has something to change."""
    storage = "sed -n 's/^ckan.storage_path *= *//p' /etc/ckan/default/ckan.ini"
    find = f"find \"$({storage})\" -mindepth 1 -type d -printf '%m %u\\n'"
    assert set(converged.run("sh", "-ec", find).splitlines()) == {"755 www-data"}


def test_ckan_starts_without_an_error(converged: PortalHost) -> None:
    log = converged.run("sed", "-n", "s/^stdout_logfile=//p", "/etc/supervisor/conf.d/ckan-uwsgi.conf").strip()
    lines = converged.read(log).splitlines()
    assert any("ready in" in line for line in lines), lines
    assert [line for line in lines if "No module named" in line or "unable to load app" in line] == []


def test_a_first_sysadmin_who_was_deleted_stays_so(converged: PortalHost) -> None:
    def ask(query: str) -> str:
        return converged.run("runuser", "-u", "postgres", "--", "psql", "-XAtqc", query, "ckan_default").strip()

    is_of = "where name = 'admin'"
    was = ask(f'select state, sysadmin from "user" {is_of}')
    assert was == "active|t"
    ask(f"update \"user\" set state = 'deleted', sysadmin = false {is_of}")
    try:
        assert deploy.apply() == {}
        assert ask(f'select state, sysadmin from "user" {is_of}') == "deleted|f"
    finally:
        ask(f"update \"user\" set state = 'active', sysadmin = true {is_of}")


def test_no_secret_leaves_its_place(converged: PortalHost) -> None:
    """Not in pyinfra's output at its most talkative, not on the host outside the files that hold it."""
    secrets = secret_store.secrets()
    assert {"ckan_secret_key", "ckan_sysadmin_password", "postgresql_password"} <= secrets.keys()
    secrets["an old one"] = "a-secret-of-former-times"
    secrets["the store's key"] = (state.secrets_path() / "identity").read_text().strip()
    converged.run(
        "sed", "-i", f"s/^SECRET_KEY = .*/SECRET_KEY = {secrets['an old one']}/", "/etc/ckan/default/ckan.ini"
    )
    done = deploy.pyinfra("deploy.py", "-y", "--diff", "-vvv", "--debug")
    assert done.status == 0, done.output[-2000:]
    changes = "~SECRET_KEY = *** → *** (changes: sessions and API tokens become void)"
    assert changes in done.output, "the diff of ckan.ini was not shown"
    journal = converged.run("journalctl", "--no-pager", "-q")
    assert "sudo" in journal, "the run's own commands are not in the journal"
    for name, secret in secrets.items():
        assert secret not in done.output, f"{name} is in pyinfra's output"
        elsewhere = name.startswith("minio_") and deployments.current().flavour == "ckan"  # the lab's DCORs have it
        expected = set() if elsewhere else HOMES.get(name, {INI})
        assert host_files.holding(secret, PLACES) == expected, name
        assert secret not in journal, f"{name} is in the journal"
    assert converged.run("stat", "-c", "%a %U %G", "/etc/ckan/default/ckan.ini").split() == ["640", "root", "www-data"]
