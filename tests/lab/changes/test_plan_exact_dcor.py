"""What the plan lists is what the run changes: after a change of each setting that only a DCOR portal has."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from lab import inside, minio_build
from tests.lab.harness import deploy, deployments, oracle, secret_store, summary, variants
from tests.lab.harness.convergence import differing
from tests.lab.harness.other_values import OTHER_EXTERNAL, OTHER_MINIO
from tests.lab.harness.portal_host import NAME, PortalHost
from tests.lab.harness.setting_steps import Step, dcor_batches, unexpected

pytestmark = [pytest.mark.guarantee("settings"), pytest.mark.portal("dcor")]

# On the host: another release of MinIO (its program, a byte longer), and a MinIO that is not ours, with a certificate
# of its own; folders on which something is mounted; the site's own supplements, which are DCOR's in another folder.
_PREPARE = """
version=$1 port=$2
mkdir -p /srv/mirror/$version /srv/foreign/certs /srv/foreign/data /scratch /srv/other-minio /srv/disk
{ cat /usr/local/bin/minio; echo; } > /srv/mirror/$version/minio.linux-amd64.$version
systemd-run -q --unit=other-mirror python3 -m http.server 8098 --bind 127.0.0.1 -d /srv/mirror
cp /usr/local/bin/minio /srv/foreign/minio
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=foreign \
  -addext subjectAltName=DNS:portal.test -keyout /srv/foreign/certs/private.key -out /srv/foreign/certs/public.crt 2>&1
umask 077; cat > /srv/foreign/environment; umask 022
systemd-run -q --unit=foreign-minio -p EnvironmentFile=/srv/foreign/environment \
  /srv/foreign/minio server --certs-dir /srv/foreign/certs --address :$port /srv/foreign/data
mount --bind /srv/disk /scratch
mount --bind /srv/disk /srv/other-minio
cp -a /usr/lib/ckan/default/lib/python3*/site-packages/ckanext/dcor_schemas/resource_schema_supplements /srv/supplements
chmod -R a+rX /srv/supplements
sha256sum < /srv/mirror/$version/minio.linux-amd64.$version
"""
_STAYS = ("files: /srv", "files: /scratch")


@pytest.fixture
def portal_host(portal_host: PortalHost) -> PortalHost:
    """A converged DCOR portal; the test changes it."""
    minio_build.ensure_minio()
    portal_host.restore(portal_host.deployed(deployments.current()))
    portal_host.mark_changed()
    return portal_host


def test_the_plan_after_a_change_is_what_the_run_changes(portal_host: PortalHost, tmp_path: Path) -> None:
    before = oracle.essence(oracle.snapshot(NAME))
    secret = "another-object_storage_secret_access_key"
    account = OTHER_EXTERNAL["object_storage_access_key_id"]
    environment = f"MINIO_ROOT_USER={account}\nMINIO_ROOT_PASSWORD={secret}\nMINIO_BROWSER=off\n"
    port = OTHER_EXTERNAL["object_storage_endpoint"].rpartition(":")[2]
    command = ["sh", "-ec", _PREPARE, "sh", OTHER_MINIO["minio_version"], port]
    sha256 = inside.run(NAME, command, text=environment).stdout.split()[-2]
    authority = tmp_path / "authority.pem"
    authority.write_text(portal_host.read("/srv/foreign/certs/public.crt"))
    failures = []
    for step in dcor_batches({"minio_sha256": sha256, "object_storage_ca_file": str(authority)}):
        try:
            changed = _step(step, tmp_path)
        except AssertionError as error:
            failures.append(f"{step.name}: {error}")
            print(failures[-1], flush=True)
        else:
            summary.add(f"settings of DCOR: {step.name}: {len(changed)} operations")
    assert not failures, "\n".join(failures)
    left = unexpected(oracle.difference(before, oracle.essence(oracle.snapshot(NAME))))
    assert [line for line in left if not line.startswith(_STAYS)] == []


def _step(step: Step, folder: Path) -> list[str]:
    environment = {**os.environ}
    for name in step.secrets:
        environment[f"CKAN_DEPLOY_SECRET_{name.upper()}"] = f"another-{name}"
    inventory = _inventory(step.data, folder)
    with secret_store.unchanged():
        changed = deploy.plan_and_apply(inventory=inventory, environment=environment).get(NAME, [])
        assert deploy.plan(inventory=inventory, environment=environment) == {}
    assert differing() == []
    assert changed, "nothing was changed"
    return changed


def _inventory(data: dict[str, Any], folder: Path) -> str:
    """Path of an inventory with DATA; without MinIO where the object storage is an external one."""
    path = Path(variants.inventory({"portal_flavour": "dcor", "dcor_scratch_space": 1, **data}, folder))
    if "object_storage_endpoint" in data:
        path.write_text(path.read_text() + "object_storage = []\n")
    return str(path)
