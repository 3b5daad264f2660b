"""No secret leaves its place: not for a moment, not in another form, not when a run fails.

Watched from before the first run: every program that the host or the controller starts (lab/trace.py, on the host from
process 1 on) and every file that is written on the host (fanotify). Looked through afterwards: what others can read
there, the journal, units, crash reports and the checkout. Before it is believed, one leak is planted in each of these
ways, and found.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from lab import host, inside, state, supervise
from tests.lab.harness import deploy, multi_host, packages, summary
from tests.lab.harness.deployments import CKAN, CROSSED, DCOR
from tests.lab.harness.fanotify import Watch
from tests.lab.harness.leak_secrets import HOSTS, needed, options, values
from tests.lab.harness.leaks import Leaks, forms
from tests.lab.harness.portal_host import NAME, PortalHost

pytestmark = pytest.mark.guarantee("leaks")

INVENTORY = DCOR  # the flavour that needs most secrets
TALKATIVE = ("--diff", "-vvv", "--debug")
NOT_OURS = {".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__"}

# Files that anybody can read, folders above them included, and that hold one of the texts on standard input. nobody is
# kept out of much, so that find's complaints say nothing: that a file of this search is found does.
CONTROL = "/usr/local/share/control/of-the-search"
_READABLE = rf"""
patterns=$(mktemp); trap 'rm -rf "$patterns" {Path(CONTROL).parent}' EXIT; cat > "$patterns"
umask 022; mkdir {Path(CONTROL).parent}; echo {CONTROL} | tee -a "$patterns" > {CONTROL}
runuser -u nobody -- find / -xdev \( -path /proc -o -path /sys -o -path /usr/share -o -path /usr/lib/jvm \) -prune -o \
  -type f -size -20M -readable -print0 2>/dev/null | xargs -0 -r grep -lF -f "$patterns" --; true
"""
_UNITS = ["runuser", "-u", "nobody", "--", "systemctl", "show", "*", "--property=Environment,ExecStart,Description"]
_CRASHES = (
    *("find", "/", "-xdev", "-ignore_readdir_race", "-type", "f"),
    *("(", "-path", "/var/crash/*", "-o", "-path", "/var/lib/systemd/coredump/*", "-o", "-name", "core.[0-9]*", ")"),
)


@dataclass
class Watched:
    """The hosts, and all that is recorded of them."""

    folder: Path
    leaks: Leaks
    watch: Watch

    def run(self, *arguments: str, which: str, secrets: Mapping[str, str] | None = None, status: int = 0) -> str:
        """Run pyinfra with the secrets of the kind WHICH; its output. Looks at that and at the programs that it starts.

        + secrets: others than these
        """
        secrets = values(which) if secrets is None else secrets
        variables = {f"CKAN_DEPLOY_SECRET_{name.upper()}": value for name, value in secrets.items()}
        trace = self.folder / "controller.trace"
        done = subprocess.run(
            [sys.executable, "-m", "lab.trace", str(trace), *deploy.PYINFRA, *options(which), INVENTORY, *arguments],
            cwd=deploy.ROOT,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=3600,
            check=False,
        )
        output = done.stdout + done.stderr
        self.leaks.look("output", arguments[0], output)
        assert self.leaks.look_in_trace("arguments on the controller", trace) > 0
        assert done.returncode == status, output[-3000:]
        return output

    def look_around(self) -> None:
        """Look at the programs that the hosts have started, and at what has been left anywhere."""
        look = self.leaks.look
        assert not self.watch.errors, self.watch.errors[:3]
        assert _on_host("sh", "-c", "[ ! -e /srv/minio ] || stat -c %a /srv/minio") in (b"", b"750\n")
        patterns = "".join(f"{form}\n" for secret in self.leaks.secrets.values() for form in sorted(forms(secret)))
        programs = 0
        for name in HOSTS:
            programs += self.leaks.look_in_trace("arguments on the host", self.folder / f"{name}.trace")
            readable = inside.run(name, ["sh", "-c", _READABLE], text=patterns).stdout.splitlines()
            assert CONTROL in readable, f"the search on {name} finds nothing"
            for path in set(readable) - {CONTROL}:
                look("files of the host", path, _on_host("cat", path, host=name))
            look("the journal", "journalctl", _on_host("journalctl", "--no-pager", "-q", "-o", "export", host=name))
            look("units", "systemctl show", _on_host(*_UNITS, host=name))
            for path in _on_host(*_CRASHES, host=name).decode().splitlines():
                look("crash reports", path, _on_host("cat", path, host=name))
        checkout = (path for path in deploy.ROOT.rglob("*") if not NOT_OURS & set(path.parts))
        self.leaks.look_in_files("the checkout", checkout)
        summary.add(f"leaks: {programs} programs of the hosts and {self.watch.files} written files looked at")


def _on_host(*command: str, host: str = NAME) -> bytes:
    return subprocess.run(inside.run_argv(host, command), capture_output=True, check=True).stdout


@contextmanager
def watching(portal_host: PortalHost, folder: Path, *kinds: str, installed: bool = False) -> Iterator[Watched]:
    """Bare hosts that are watched from their first processes on, for the secrets of KINDS.

    + installed: the portal's host has its packages already
    """
    multi_host.clear(portal_host)
    for name in HOSTS:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(supervise.TRACE, str(folder / f"{name}.trace"))
            if name == NAME and installed:
                host.up(name, snapshot=packages.snapshot(CROSSED["dcor"]))
            else:
                host.up(name, release=CKAN.release)
    leaks = Leaks({f"{kind} {name}": value for kind in kinds for name, value in values(kind).items()})
    roots = [Path(f"/proc/{inside.leader(state.get(name))}/root") for name in HOSTS]

    def seen(path: str, content: bytes) -> None:
        # MinIO keeps its access keys with its data, in files that their folder closes to others from the beginning.
        if not path.startswith("/srv/minio/"):
            leaks.look("files of the host", path, content)

    with Watch([root / below for root in roots for below in ("", "run", "dev/shm")], seen) as watch:
        yield Watched(folder, leaks, watch)
    multi_host.clear(portal_host)


def test_planted_leaks_are_found(portal_host: PortalHost, tmp_path: Path) -> None:
    """The mistakes that anybody would make first, one for each way out."""
    secret = values("planted")["ckan_secret_key"]
    quoted = quote(secret, safe="")
    variable = f'Environment="X={quoted.replace("%", "%%")}"'
    unit = f"[Service]\nType=oneshot\nRemainAfterExit=yes\n{variable}\nExecStart=/bin/true\n"
    debug = deploy.ROOT / "pyinfra-debug.log"
    with watching(portal_host, tmp_path, "planted") as watched:
        # In the output, in the arguments of both sides, and in the journal: sudo logs what it runs.
        watched.run("exec", "-y", "-vvv", "--", "true", quoted, which="planted", secrets={})
        for script, text in (
            ("cat > /tmp/removed; rm /tmp/removed", secret),
            ("cat > /etc/late; chmod 600 /etc/late", secret),
            ("base64 -w0 > /run/memory; rm /run/memory", secret),
            ("umask 077; cat > /etc/private", secret),
            ("umask 077; mkdir -p /var/crash; cat > /var/crash/_usr_bin_ckan.0.crash", secret),
            ("umask 077; cat > /srv/core.123", secret),
            ("cat > /etc/systemd/system/leak.service; systemctl daemon-reload; systemctl start leak", unit),
        ):
            inside.run(NAME, ["sh", "-ec", f"umask 022; {script}"], text=text)
        debug.write_text(f"{secret!r}\n")
        try:
            watched.look_around()
        finally:
            debug.unlink()
    found = watched.leaks.found
    assert {name for _, _, name in found} == {"planted ckan_secret_key"}
    assert {channel for channel, _, _ in found} == {
        "output",
        "arguments on the controller",
        "arguments on the host",
        "files of the host",
        "the journal",
        "units",
        "crash reports",
        "the checkout",
    }
    crashes = {place for channel, place, _ in found if channel == "crash reports"}
    assert crashes == {"/var/crash/_usr_bin_ckan.0.crash", "/srv/core.123"}
    files = {Path(place.removesuffix(" (deleted)")).name for channel, place, _ in found if channel.startswith("files")}
    assert files == {"removed", "late", "memory", "leak.service"}


def test_no_secret_leaks(portal_host: PortalHost, tmp_path: Path) -> None:
    """From bare hosts: a deploy, rotations, and runs that fail where a secret is at work."""
    third, failed = values("third"), values("failed")
    with watching(portal_host, tmp_path, "first", "second", "third", "failed") as watched:
        assert needed(INVENTORY) == set(values("first"))
        watched.run("deploy.py", "-y", *TALKATIVE, which="first")
        watched.run("deploy.py", "--dry", "--json", which="second")
        watched.run("deploy.py", "-y", "--json", which="second")
        watched.run("deploy.py", "--dry", *TALKATIVE, which="third")
        watched.run("deploy.py", "-y", *TALKATIVE, which="third")
        # Nobody may write to the database: the role's new password is refused, then the new sysadmin.
        for sql, more, says in (
            ("ALTER SYSTEM SET default_transaction_read_only = on", (), "Set up CKAN's database role"),
            (
                "ALTER ROLE ckan_default SET default_transaction_read_only = on",
                ("--data", "ckan_sysadmin=other"),
                "sysadmin",
            ),
        ):
            _psql(sql)
            secrets = failed if not more else {**failed, "postgresql_password": third["postgresql_password"]}
            for form in (TALKATIVE, ("--json",)):
                output = watched.run("deploy.py", "-y", *form, *more, which="failed", secrets=secrets, status=1)
                assert says in output
            _psql("ALTER SYSTEM RESET default_transaction_read_only")
        watched.look_around()
        ini = _on_host("cat", "/etc/ckan/default/ckan.ini").decode()  # it is where secrets are, and forms finds them
        for secret in (third["postgresql_password"], failed["ckan_secret_key"], failed["redis_password"]):
            assert any(form in ini for form in forms(secret))
    assert watched.leaks.found == set()


def test_no_secret_leaks_into_what_programs_read(portal_host: PortalHost, tmp_path: Path) -> None:
    """From hosts with their packages, and with ``--json``."""
    with watching(portal_host, tmp_path, "first", installed=True) as watched:
        watched.run("deploy.py", "-y", "--json", which="first")
        watched.look_around()
    assert watched.leaks.found == set()


def _psql(sql: str) -> None:
    command = ["runuser", "-u", "postgres", "--", "psql", "-Xq", "-c", sql, "-c", "SELECT pg_reload_conf()"]
    subprocess.run(inside.run_argv(NAME, command), check=True, cwd="/", capture_output=True)
