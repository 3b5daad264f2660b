"""An exported access token is read by the real DCOR-Aid, and lets it in; nothing of it shows on either side."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.harness import dcoraid, deploy, deployments
from tests.lab.harness.acceptance import Portal
from tests.lab.harness.portal_host import FQDN, PortalHost

pytestmark = pytest.mark.portal("dcor", "ckan", crossed=True)

PASSWORD = "correct horse battery"
# DCOR-Aid 1.1.3 takes the file apart with dclab, pins the certificate, and asks the portal who it is. Several labs of
# one machine have a portal of this name: the address is given.
_DCOR_AID = r"""
import json, pathlib, socket, sys, tempfile
from dclab.rtdc_dataset.fmt_dcor import access_token
from dcoraid.api import CKANAPI
(path, address), password = sys.argv[1:], sys.stdin.read()
look_up = socket.getaddrinfo
socket.getaddrinfo = lambda host, *more, **named: look_up(address, *more, **named)
server, key = (read(path, password) for read in (access_token.get_hostname, access_token.get_api_key))
pinned = pathlib.Path(tempfile.mkdtemp(), "server.cert")
pinned.write_bytes(access_token.get_certificate(path, password))
api = CKANAPI(server=server, api_key=key, ssl_verify=str(pinned), check_ckan_version=False)
print(json.dumps([server, api.get_user_dict()["name"]]))
"""


def _task(module: str, *arguments: str, folder: Path, text: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab.trace", str(folder / "trace"), sys.executable, "-m", f"tasks.{module}", *arguments],
        cwd=deploy.ROOT,
        input=text,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_dcor_aid_reads_the_access_token(portal: Portal, tmp_path: Path) -> None:
    path = tmp_path / "admin.dcor-access"
    made = _task(
        "access", deployments.current().inventory, "admin", "--output", str(path), folder=tmp_path, text=PASSWORD
    )
    assert made.returncode == 0, made.stderr
    assert f"an API token of admin for {FQDN}, named 'DCOR-Aid 20" in made.stdout
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert dcoraid.run(_DCOR_AID, str(path), portal.address, text=PASSWORD) == f'["{FQDN}", "admin"]\n'
    with pytest.raises(AssertionError, match=r"Bad password|Bad CRC-32|zlib\.error"):  # one is drawn by the file's salt
        dcoraid.run(_DCOR_AID, str(path), portal.address, text="another password")
    read = "import sys; from dclab.rtdc_dataset.fmt_dcor.access_token import get_api_key as get; "
    read += "print(get(sys.argv[1], sys.stdin.read()))"
    token = dcoraid.run(read, str(path), text=PASSWORD).strip()
    for shown in (made.stdout + made.stderr, (tmp_path / "trace").read_text()):
        assert token not in shown and PASSWORD not in shown
    again = _task(
        "access", deployments.current().inventory, "admin", "--output", str(path), folder=tmp_path, text=PASSWORD
    )
    assert again.returncode == 1 and "is there already, and is not overwritten" in again.stderr


def test_mistakes_leave_nothing(converged: PortalHost, tmp_path: Path) -> None:
    path = tmp_path / "x.dcor-access"
    for user, text, says in (
        ("nobody-here", PASSWORD, "CKAN on portal has no active user nobody-here; make one first"),
        ("admin", "short", "it must have at least 12 characters"),
    ):
        done = _task("access", deployments.current().inventory, user, "--output", str(path), folder=tmp_path, text=text)
        assert done.returncode == 1 and says in done.stderr and "Traceback" not in done.stderr
        assert not path.exists()


def test_the_certificate_alone(converged: PortalHost, tmp_path: Path) -> None:
    path = tmp_path / "portal.cert"
    done = _task("certificate", deployments.current().inventory, "--output", str(path), folder=tmp_path)
    assert done.returncode == 0 and "valid until" in done.stdout, done.stderr
    assert path.read_text() == converged.read(f"/etc/ssl/certs/{FQDN}.cert")


def test_a_host_that_cannot_be_reached(converged: PortalHost, tmp_path: Path) -> None:
    source = Path(deploy.ROOT / deployments.current().inventory).read_text()
    inventory = tmp_path / "lab.py"
    inventory.write_text(f"{source}\nfor _, _d in portal:\n    _d['ssh_port'] = 1\n")
    done = subprocess.run(
        [sys.executable, "-m", "tasks.certificate", str(inventory)],
        cwd=deploy.ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(deploy.ROOT)},
        timeout=120,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert (
        done.stderr.startswith(f"error: {inventory}:") and "port 1) does not answer: connection refused;" in done.stderr
    )
