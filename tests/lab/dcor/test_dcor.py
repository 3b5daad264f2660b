"""A DCOR portal: for its users with the real DCOR-Aid and a browser, and for its administrators."""

from __future__ import annotations

import hashlib
import json
import re
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
import requests

from lab import inside
from settings.locks import schema
from settings.scheduled import JOBS
from tests.lab.harness import acceptance, dcoraid, deploy, jobs, oracle, variants
from tests.lab.harness.acceptance import Portal
from tests.lab.harness.portal_host import NAME, PortalHost

pytestmark = pytest.mark.portal("dcor")

PROCESSED = 600.0  # seconds until all queues have done their part

# DCOR-Aid finds the portal at its address without a line in /etc/hosts; the certificate is checked for its name, and
# nothing but that certificate is trusted, as with a .dcor-access file.
_AID = r"""
import hashlib, json, os, pathlib, socket, sys, time
fqdn, address, cafile, folder, circle, what = sys.argv[1:7]
token = sys.stdin.readline().strip()
lookup = socket.getaddrinfo
socket.getaddrinfo = lambda host, *rest, **more: lookup(address if host == fqdn else host, *rest, **more)
os.environ["REQUESTS_CA_BUNDLE"] = cafile  # of uploads to the object storage, for which DCOR-Aid has no setting
os.environ["XDG_CONFIG_HOME"] = folder
from dcoraid.api import CKANAPI, dataset_create
from dcoraid.download import DownloadJob
from dcoraid.upload import UploadJob
folder = pathlib.Path(folder)
api = CKANAPI(fqdn, api_key=token, ssl_verify=cafile, caching=False)
assert api.is_available(with_api_key=True, with_correct_version=True)
digest = lambda path: hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()
"""
_UPLOAD = (
    _AID
    + r"""
import h5py, numpy as np
from dclab import RTDCWriter
from dclab.rtdc_dataset.check import IntegrityChecker
path = folder / "measurement.rtdc"
size, rng = 60, np.random.default_rng(1)
mask = np.zeros((size, 80, 250), dtype=bool)
mask[:, 30:50, 100:130] = True
with RTDCWriter(path, mode="reset") as writer:
    writer.store_metadata({
        "experiment": {"date": "2026-01-01", "event count": size, "run index": 1, "sample": "beads",
                       "time": "12:00:00"},
        "imaging": {"flash device": "LED", "flash duration": 2.0, "frame rate": 2000.0, "pixel size": 0.34,
                    "roi position x": 100.0, "roi position y": 100.0, "roi size x": 250, "roi size y": 80},
        "setup": {"channel width": 20.0, "chip region": "channel", "flow rate": 0.04, "flow rate sample": 0.01,
                  "flow rate sheath": 0.03, "identifier": "lab", "medium": "CellCarrierB",
                  "module composition": "Cell_Flow_2", "software version": "ckan-deploy tests"},
        "online_contour": {"bin area min": 10, "bin kernel": 5, "bin threshold": -6, "image blur": 0,
                           "no absdiff": True},
        "online_filter": {"area_um,deform soft limit": True, "target event count": size},
    })
    writer.store_feature("deform", rng.uniform(0.01, 0.2, size))
    writer.store_feature("area_um", rng.uniform(40, 120, size))
    writer.store_feature("bright_avg", rng.uniform(90, 110, size))
    writer.store_feature("pos_x", rng.uniform(20, 60, size))
    writer.store_feature("pos_y", rng.uniform(10, 20, size))
    writer.store_feature("frame", np.arange(size, dtype=float) * 10 + 1)
    writer.store_feature("time", np.arange(size, dtype=float) / 200)
    writer.store_feature("image", rng.integers(0, 255, (size, 80, 250), dtype=np.uint8))
    writer.store_feature("mask", mask)
with IntegrityChecker(path) as checker:
    bad = [cue.msg for cue in checker.check() if cue.level == "violation"]
assert not bad, bad
made = dataset_create({"title": f"Measurement of {circle}", "authors": "A. Nonymous", "owner_org": circle,
                       "license_id": "CC0-1.0", "private": what == "private"}, api, create_circle=True)
job = UploadJob(api, made["id"], [path], cache_dir=folder)
job.task_compress_resources()
sent = digest(job.paths[0])
job.task_upload_resources()
assert job.state == "online", (job.state, job.traceback)
job.task_verify_resources()
assert job.state == "done", (job.state, job.traceback)
print(json.dumps({"dataset": made["id"], "sha256": sent}))
"""
)
_DOWNLOAD = (
    _AID
    + r"""
found = {}
for name, condensed in (("original", False), ("condensed", True)):
    path = folder / f"{name}.rtdc"
    job = DownloadJob(api, what, path, condensed=condensed)
    job.task_download_resource()
    job.task_verify_resource()
    assert job.state == "done", (job.state, job.traceback)
    found[name] = digest(path)
import dclab
with dclab.new_dataset(folder / "condensed.rtdc") as ds:
    found["condensed events"] = len(ds)
print(json.dumps(found))
"""
)


def test_each_nightly_job_ends_well(converged: PortalHost) -> None:
    timers = json.loads(converged.run("systemctl", "list-timers", "--output=json", "ckan-scheduled-*"))
    activated = {timer["activates"] for timer in timers}
    assert activated == {f"ckan-scheduled-{name}.service" for name in JOBS if "dc" in name}
    for job in sorted(activated):
        converged.run("systemctl", "start", job)
        assert converged.run("systemctl", "show", "--value", "-p", "Result", job).strip() == "success", job


def test_dcor_inspect_has_nothing_to_do(converged: PortalHost) -> None:
    before = oracle.snapshot(NAME)
    said = converged.run("dcor", "inspect", "--assume-yes")
    assert "No changes made." in said, said
    assert oracle.difference(before, oracle.snapshot(NAME)) == []
    for path in ("/var/log/ckan/x.log", "/data/ckan/storage/x"):  # else root would give /etc/shadow away
        converged.run("runuser", "-u", "www-data", "--", "ln", "-s", "/etc/shadow", path)
        refused = inside.run(NAME, ["dcor", "inspect", "--assume-yes"], check=False)
        converged.run("rm", path)
        assert refused.returncode == 1 and f"lead to: '{path}'; see who laid them" in refused.stderr, refused
    assert oracle.difference(before, oracle.snapshot(NAME)) == []
    assert "Module dcor-control" in converged.run("dcor", "status").replace("_", "-")  # it asks the object storage, too


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"dcor_mounts": ["/data"]}, r"nothing is mounted at /data, which dcor_mounts names: mount it"),
        ({"dcor_scratch_space": 99999}, r"/cache has room for \d+ GB of temporary files, less than dcor_scratch_space"),
    ],
    ids=["no mount", "small scratch disk"],
)
def test_a_disk_that_is_missing_or_small_stops_the_run(
    converged: PortalHost, tmp_path: Path, data: dict[str, Any], says: str
) -> None:
    before = oracle.snapshot(NAME)
    inventory = variants.inventory({**data, "portal_flavour": "dcor"}, tmp_path)
    done = deploy.pyinfra("deploy.py", "-y", inventory=inventory)
    assert done.status == 1 and re.search(says, done.stderr), done.output
    assert oracle.difference(before, oracle.snapshot(NAME)) == []


def test_a_measurement_goes_through_dcor(portal: Portal, converged: PortalHost, tmp_path: Path) -> None:
    """DCOR-Aid uploads it, all queues work on it, and DCOR-Aid gets back what it sent, and the condensed file."""
    token = _user(portal, converged.read("/etc/ckan/default/sysadmin-token").strip())
    circle = f"circle-{uuid.uuid4().hex[:8]}"
    where = (portal.fqdn, portal.address, portal.cafile, str(tmp_path), circle)
    uploaded = json.loads(dcoraid.run(_UPLOAD, *where, "public", text=f"{token}\n"))
    resource = _processed(portal, token, uploaded["dataset"])
    assert resource["sha256"] == uploaded["sha256"]
    assert resource["dc:experiment:event count"] == 60, resource

    got = json.loads(dcoraid.run(_DOWNLOAD, *where, resource["id"], text=f"{token}\n"))
    assert got["original"] == uploaded["sha256"]
    assert got["condensed events"] == 60

    folder = f"{portal.url}/dataset/{uploaded['dataset']}/resource/{resource['id']}"
    with acceptance.visit(portal) as anybody:  # the dataset is public
        preview = anybody.get(f"{folder}/preview.jpg", timeout=acceptance.TIMEOUT)
        assert preview.status_code == 200 and preview.content.startswith(b"\xff\xd8\xff"), preview
        page = anybody.get(folder, timeout=acceptance.TIMEOUT)
        assert page.status_code == 200 and resource["name"] in page.text
        whole = anybody.get(f"{folder}/download/{resource['name']}", timeout=acceptance.TIMEOUT)
        assert hashlib.sha256(whole.content).hexdigest() == uploaded["sha256"]
    with acceptance.visit(portal) as trusting:
        trusting.verify = "/etc/ssl/certs/ca-certificates.crt"
        try:
            trusting.get(portal.url, timeout=acceptance.TIMEOUT)
        except requests.exceptions.SSLError:
            return
        raise AssertionError("the certificate is not checked")


def test_an_absent_disk_and_a_killed_job(converged: PortalHost, tmp_path: Path) -> None:
    """Nothing runs while a disk is absent; a job that was killed leaves no lock that keeps others from its work."""
    mounted = "mountpoint -q /scratch || mount -t tmpfs -o mode=755 tmpfs /scratch"
    converged.run("sh", "-ec", f"mkdir -p /scratch; {mounted}")
    data = {"portal_flavour": "dcor", "dcor_scratch_space": 1, "dcor_mounts": ["/scratch"], "workers_stop_seconds": 2}
    inventory = variants.inventory(data, tmp_path)
    deploy.plan_and_apply(inventory=inventory)

    lock = "/tmp/DCOR_generate_condensed/of-a-resource.lock"
    converged.run("sh", "-ec", f"cd /tmp && runuser -u www-data -- mkdir -p {Path(lock).parent} && touch {lock}")
    converged.run("touch", "/etc/ckan/default/ckan.ini")
    deploy.plan_and_apply(inventory=inventory)
    converged.run("test", "-e", lock)  # nobody was killed: it is somebody's
    jobs.sleep("begin", "900")
    jobs.until(lambda: bool(jobs.horses()), "the job is in progress")
    converged.run("touch", "/etc/ckan/default/ckan.ini")
    deploy.plan_and_apply(inventory=inventory)
    converged.run("test", "!", "-e", lock)

    job = "ckan-scheduled-run-jobs-dc-view"
    assert jobs.property_of(f"{job}.service", "PrivateTmp") == "no", "the workers' locks are not seen"
    converged.run("umount", "/scratch")
    for unit in (f"{job}.service", "supervisor.service"):
        refused = inside.run(NAME, ["systemctl", "restart", unit], check=False)
        assert refused.returncode != 0 and "Assertion failed" in refused.stderr, refused
    converged.run("sh", "-ec", mounted)
    assert "uWSGI | Run supervisor" in " ".join(deploy.plan_and_apply(inventory=inventory)[NAME])
    converged.run("systemctl", "start", job)
    deploy.apply()
    converged.run("sh", "-ec", f"umount /scratch; rmdir /scratch {Path(lock).parent}")


def test_without_a_browser(portal: Portal) -> None:
    acceptance.reading(portal, schema()["version"])


def test_a_person_looks_around(portal: Portal) -> None:
    acceptance.person_looks_around(portal)


def _user(portal: Portal, sysadmin: str) -> str:
    """Make an account as the sysadmin does, and return an access token of it (a sysadmin's datasets get no names)."""
    name = f"user-{uuid.uuid4().hex[:8]}"
    account = {"name": name, "email": f"{name}@example.org", "password": uuid.uuid4().hex}
    with acceptance.visit(portal) as session:
        session.headers["Authorization"] = sysadmin
        acceptance.ask(session, portal, "user_create", account)
        made = acceptance.ask(session, portal, "api_token_create", {"user": name, "name": "DCOR-Aid"})
    return str(made["token"])


def _processed(portal: Portal, token: str, dataset: str) -> dict[str, Any]:
    """Wait until DCOR knows of the dataset's one resource all that its queues find out, and has made its files."""
    deadline = time.monotonic() + PROCESSED
    with acceptance.visit(portal) as session:
        session.headers["Authorization"] = token
        while True:
            answer = session.get(
                f"{portal.url}/api/3/action/package_show", params={"id": dataset}, timeout=acceptance.TIMEOUT
            )
            (resource,) = answer.json()["result"]["resources"]
            folder = f"{portal.url}/dataset/{dataset}/resource/{resource['id']}"
            missing = [name for name in ("etag", "sha256", "dc:experiment:event count") if not resource.get(name)]
            missing += [
                name
                for name in ("condensed.rtdc", "preview.jpg")
                if session.get(f"{folder}/{name}", timeout=acceptance.TIMEOUT).status_code != 200
            ]
            if not missing:
                return dict(resource)
            assert time.monotonic() < deadline, f"after {PROCESSED:.0f} s DCOR has no {', '.join(missing)}: {resource}"
            time.sleep(3)
