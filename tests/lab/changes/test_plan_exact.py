"""What the plan lists is what the run changes: after a change of each setting, and back again.

In batches by component, each from the state that the one before left, so that a step changes some settings and sets
others back; that each of them has an effect of its own: tests/plan/test_effects.py. With ``--long`` one setting at a
time. The bare and the converged host are in test_converge, drifted ones
in test_drift.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import issued
from tests.lab.harness import deploy, deployments, oracle, summary, variants
from tests.lab.harness.convergence import differing
from tests.lab.harness.other_values import OTHER, SILENT, STOPS
from tests.lab.harness.portal_host import FQDN, NAME, PortalHost
from tests.lab.harness.setting_steps import Step, batches, singles, unexpected

pytestmark = [pytest.mark.guarantee("settings"), pytest.mark.portal("ckan")]


@pytest.fixture
def expected(portal_host: PortalHost) -> oracle.State:
    """The essence of the converged plain portal, with the administrators' tools and what is left of the host's mail.

    Packages stay once they were wanted, or leave their configuration.
    """
    portal_host.restore(portal_host.deployed(deployments.current()))
    portal_host.mark_changed()
    mail = {name: value for name, value in OTHER.items() if name in ("patching_mail_to", "patching_mail_from")}
    mail["patching_smtp_server"] = OTHER["patching_smtp_server"]
    deploy.apply("--data", "base_admin_tools=true")
    deploy.apply(*(word for name, value in mail.items() for word in ("--data", f"{name}={value}")))
    deploy.apply()
    return oracle.essence(oracle.snapshot(NAME))


@pytest.fixture
def other(portal_host: PortalHost, tmp_path: Path) -> dict[str, Any]:
    """OTHER, with a certificate and its key, and with another Solr served on the converged host itself."""
    portal_host.restore(portal_host.deployed(deployments.current()))
    portal_host.mark_changed()
    shown = issued.self_signed(FQDN)
    serve = (
        "mkdir -p /srv/solr/9.10.0; cd /srv/solr/9.10.0; "
        "{ cat /var/cache/ckan-deploy/solr-*.tgz; gzip -c </dev/null; } > solr-9.10.0.tgz; "
        "systemd-run -q --unit=other-solr python3 -m http.server 8099 --bind 127.0.0.1 -d /srv/solr; "
        "sha512sum < solr-9.10.0.tgz"
    )
    checksum = portal_host.run("sh", "-ec", serve).split()[0]
    return {
        **OTHER,
        "tls_certificate_file": shown.write(tmp_path),
        "tls_key": shown.key,
        "solr_sha512": checksum,
    }


def test_the_plan_after_a_change_is_what_the_run_changes(
    portal_host: PortalHost,
    expected: oracle.State,
    other: dict[str, Any],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    steps = list(singles(other)) if request.config.getoption("--long") else batches(other)
    older = variants.older_checkout(tmp_path)
    failures = []
    former = _location({})
    for step in steps:
        if _location(step.data) != former:  # else the run stops: the former database holds data
            step.data["ckan_database_leave_behind"] = former
        former = _location(step.data)
        environment = {**os.environ}
        for name in step.secrets:
            environment[f"CKAN_DEPLOY_SECRET_{name.upper()}"] = other.get(name, f"another-{name}")
        inventory = variants.inventory(step.data, tmp_path)
        root = older if step.older else deploy.ROOT
        try:
            changed = deploy.plan_and_apply(inventory=inventory, environment=environment, root=root).get(NAME, [])
            assert deploy.plan(inventory=inventory, environment=environment, root=root) == {}
            assert differing() == []
            if not {*step.data, *step.secrets} <= SILENT:
                assert changed, "nothing was changed"
            _only_one_solr(portal_host)
            _token_is_good(portal_host, wanted=step.data.get("ckan_sysadmin", "x") != "" and _has_token(step))
        except AssertionError as error:
            failures.append(f"{step.name}: {error}")
            print(failures[-1])
        else:
            summary.add(f"settings: {step.name}: {len(changed)} operations")
    assert not failures, "\n".join(failures)
    now = oracle.essence(oracle.snapshot(NAME))
    assert unexpected(oracle.difference(expected, now)) == []


@pytest.mark.parametrize("name", STOPS)
def test_a_setting_that_stops_the_run_by_design(name: str, converged: PortalHost) -> None:
    before = oracle.snapshot(NAME)
    done = deploy.pyinfra("deploy.py", "-y", "--data", f"{name}={STOPS[name]}")
    assert done.status == 1
    assert f"less than {name} = {STOPS[name]}" in done.stderr
    assert oracle.difference(before, oracle.snapshot(NAME)) == []


def _location(data: Mapping[str, Any]) -> str:
    return f"127.0.0.1:{data.get('postgresql_port', 5432)}/{data.get('postgresql_database', 'ckan_default')}"


def _has_token(step: Step) -> bool:
    return bool(step.data.get("ckan_sysadmin_token", True))


def _token_is_good(portal_host: PortalHost, *, wanted: bool) -> None:
    """CKAN takes the token in the file for its sysadmin's; there is none where none is wanted."""
    command = (
        "f=/etc/ckan/default/sysadmin-token; [ -e $f ] || exit 0; "
        "port=$(sed -n 's/^http11-socket = .*://p' /etc/ckan/default/ckan-uwsgi.ini); "
        "curl -s -o /dev/null -w '%{http_code}' -H \"Authorization: $(cat $f)\" "
        "http://127.0.0.1:$port/api/3/action/config_option_list"
    )
    assert portal_host.run("sh", "-c", command) == ("200" if wanted else "")


def _only_one_solr(portal_host: PortalHost) -> None:
    found = portal_host.run("sh", "-c", "ls -d /opt/solr-* /var/cache/ckan-deploy/solr-*").split()
    assert len(found) == 2, f"former versions of Solr are still there: {found}"
