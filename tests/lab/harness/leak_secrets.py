"""The secrets that the leak test looks for: all that the schema declares, but those that stand here with the reason."""

from __future__ import annotations

import json
import re
import string
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from settings.component import SecretSpec
from settings.host import secrets_declared
from tests.issued import Issued, self_signed

ROOT = Path(__file__).resolve().parents[3]
# With these the lab's hosts need as many secrets as hosts can need at once; Redis has a host of its own.
_SETTINGS = (
    "ckan_api_token_own_secret=true",
    "ckan_smtp_server=127.0.0.1:25",
    "ckan_smtp_user=mailer",
    "ckan_mail_from=portal@portal.test",
    "patching_smtp_server=127.0.0.1:25",
    "patching_smtp_user=mailer",
    "patching_mail_from=hosts@portal.test",
    "patching_mail_to=operators@portal.test",
    "tls_source=provided",
)
HOSTS = ("portal", "redis")
# What a person might choose: its encoded forms differ from it.
_AWKWARD = """{}+{} %4d1/"'$HOME\\&;<~"""
_PLAIN = "{}.{}~password"  # where the schema allows no other characters


_FOLDER = tempfile.TemporaryDirectory(prefix="ckan-deploy-leaks-")  # of the chains, which are no secrets


def left() -> dict[str, str]:
    """Return the secrets that no leak run has, with the reason."""
    return {
        "object_storage_secret_access_key": "a run tries that storage first, and the lab has none outside",
        "minio_tls_key": "of MinIO on a host of its own; it goes the way of tls_key",
    }


@cache
def _shown(which: str) -> Issued:
    """Return the certificate of the portal that goes with the secrets WHICH."""
    return self_signed("portal.test")


def options(which: str) -> tuple[str, ...]:
    """Return what pyinfra is to be given with the secrets WHICH."""
    chain = _shown(which).write(Path(_FOLDER.name), f"{which}.pem")
    return tuple(word for setting in (*_SETTINGS, f"tls_certificate_file={chain}") for word in ("--data", setting))


def needed(inventory: str | Path) -> set[str]:
    """Return the secrets that hosts of INVENTORY need with ``options``, as the product says itself."""
    command = [sys.executable, "-m", "settings", str(inventory), "--json", *options("first")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    hosts = json.loads(done.stdout)["hosts"]
    assert hosts, done.stdout
    return {
        name
        for host in hosts.values()
        for name, setting in host["settings"].items()
        if name in secrets_declared() and setting["state"] != "not needed"
    }


def values(which: str) -> dict[str, str]:
    """Return a value of each secret that a leak run has; others for each WHICH, of letters."""
    return {name: _value(spec, which) for name, spec in secrets_declared().items() if name not in left()}


def _value(spec: SecretSpec, which: str) -> str:
    assert re.fullmatch(f"[{string.ascii_lowercase}]+", which)
    if spec.name == "tls_key":
        return _shown(which).key
    fitting = [value for form in (_AWKWARD, _PLAIN) if spec.fits(value := form.format(which, spec.name))]
    assert fitting, f"write a value of {spec.name} for the leak test: {spec.allowed}"
    return fitting[0]
