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
from tests.lab import harness, split, summary
from tests.lab.fanotify import Watch
from tests.lab.leaks import Leaks, forms
from tests.lab.stage import NAME, RELEASES, Stage

pytestmark = pytest.mark.guarantee

TALKATIVE = ("--diff", "-vvv", "--debug")
MAIL = tuple(
    word
    for setting in ("ckan_smtp_server=127.0.0.1:25", "ckan_smtp_user=mailer", "ckan_mail_from=portal@portal.test")
    for word in ("--data", setting)
)
NAMES = ("postgresql_password", "ckan_secret_key", "ckan_sysadmin_password", "ckan_smtp_password")
NOT_OURS = {".git", ".venv", ".mypy_cache", ".ruff_cache", ".pytest_cache", "__pycache__"}

# Files that anybody can read, folders above them included, and that hold one of the texts on standard input.
_READABLE = r"""
patterns=$(mktemp); trap 'rm -f "$patterns"' EXIT; cat > "$patterns"
runuser -u nobody -- find / -xdev \( -path /proc -o -path /sys -o -path /usr/share -o -path /usr/lib/jvm \) -prune -o \
  -type f -size -20M -readable -print0 2>/dev/null | xargs -0 -r grep -lF -f "$patterns" --; true
"""
_UNITS = ["runuser", "-u", "nobody", "--", "systemctl", "show", "*", "--property=Environment,ExecStart,Description"]
_CRASHES = r"""
find /var/crash /var/lib/systemd/coredump -type f 2>/dev/null; find / -xdev -type f -name 'core.[0-9]*'; true
"""


def values(which: str) -> dict[str, str]:
    """Secrets whose encoded forms differ from them, as a person might choose; others for each WHICH."""
    plain = {"postgresql_password": f"{which}.database~password"}  # CKAN fails with others: settings/postgresql.py
    return {name: plain.get(name, f"""{which}+{name} %4d1/"'$HOME\\&;<~""") for name in NAMES}


@dataclass
class Watched:
    """A host on the stage, and all that is recorded of it."""

    folder: Path
    leaks: Leaks
    watch: Watch

    def run(self, *options: str, secrets: Mapping[str, str], status: int = 0) -> str:
        """Run pyinfra with these secrets; its output. Looks at that and at the programs that it starts."""
        variables = {f"CKAN_DEPLOY_SECRET_{name.upper()}": value for name, value in secrets.items()}
        trace = self.folder / "controller.trace"
        done = subprocess.run(
            [sys.executable, "-m", "lab.trace", str(trace), *harness.PYINFRA, harness.INVENTORY, *options],
            cwd=harness.ROOT,
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=1800,
            check=False,
        )
        output = done.stdout + done.stderr
        self.leaks.look("output", options[0], output)
        assert self.leaks.look_in_trace("arguments on the controller", trace) > 0
        assert done.returncode == status, output[-3000:]
        return output

    def look_around(self) -> None:
        """Look at the programs that the host has started, and at what has been left anywhere."""
        look = self.leaks.look
        programs = self.leaks.look_in_trace("arguments on the host", self.folder / "host.trace")
        assert not self.watch.errors, self.watch.errors[:3]
        patterns = "".join(f"{form}\n" for secret in self.leaks.secrets.values() for form in sorted(forms(secret)))
        for path in inside.run(NAME, ["sh", "-c", _READABLE], text=patterns).stdout.splitlines():
            look("files of the host", path, _on_host("cat", path))
        look("the journal", "journalctl", _on_host("journalctl", "--no-pager", "-q", "-o", "export"))
        look("units", "systemctl show", _on_host(*_UNITS))
        for path in _on_host("sh", "-c", _CRASHES).decode().splitlines():
            look("crash reports", path, _on_host("cat", path))
        checkout = (path for path in harness.ROOT.rglob("*") if not NOT_OURS & set(path.parts))
        self.leaks.look_in_files("the checkout", checkout)
        summary.add(f"leaks: {programs} programs of the host and {self.watch.files} written files looked at")


def _on_host(*command: str) -> bytes:
    return subprocess.run(inside.run_argv(NAME, command), capture_output=True, check=True).stdout


@contextmanager
def watching(stage: Stage, folder: Path, *kinds: str) -> Iterator[Watched]:
    """A bare host that is watched from its first process on, for the secrets of KINDS."""
    split.clear(stage)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(supervise.TRACE, str(folder / "host.trace"))
        host.up(NAME, release=RELEASES[0])
    leaks = Leaks({f"{kind} {name}": value for kind in kinds for name, value in values(kind).items()})
    root = Path(f"/proc/{inside.leader(state.get(NAME))}/root")

    def seen(path: str, content: bytes) -> None:
        leaks.look("files of the host", path, content)

    with Watch([root, root / "run", root / "dev/shm"], seen) as watch:
        yield Watched(folder, leaks, watch)
    split.clear(stage)


def test_planted_leaks_are_found(stage: Stage, tmp_path: Path) -> None:
    """The mistakes that anybody would make first, one for each way out."""
    secret = values("planted")["ckan_secret_key"]
    quoted = quote(secret, safe="")
    variable = f'Environment="X={quoted.replace("%", "%%")}"'
    unit = f"[Service]\nType=oneshot\nRemainAfterExit=yes\n{variable}\nExecStart=/bin/true\n"
    debug = harness.ROOT / "pyinfra-debug.log"
    with watching(stage, tmp_path, "planted") as watched:
        # In the output, in the arguments of both sides, and in the journal: sudo logs what it runs.
        watched.run("exec", "-y", "-vvv", "--", "true", quoted, secrets={})
        for script, text in (
            ("cat > /tmp/removed; rm /tmp/removed", secret),
            ("cat > /etc/late; chmod 600 /etc/late", secret),
            ("base64 -w0 > /run/memory; rm /run/memory", secret),
            ("umask 077; cat > /etc/private", secret),
            ("umask 077; mkdir -p /var/crash; cat > /var/crash/_usr_bin_ckan.0.crash", secret),
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
    files = {Path(place.removesuffix(" (deleted)")).name for channel, place, _ in found if channel.startswith("files")}
    assert files == {"removed", "late", "memory", "leak.service"}


def test_no_secret_leaks(stage: Stage, tmp_path: Path) -> None:
    """From a bare host: a deploy, rotations, and runs that fail where a secret is at work."""
    first, second, third, failed = (values(kind) for kind in ("first", "second", "third", "failed"))
    with watching(stage, tmp_path, "first", "second", "third", "failed") as watched:
        watched.run("deploy.py", "-y", *TALKATIVE, *MAIL, secrets=first)
        watched.run("deploy.py", "--dry", "--json", *MAIL, secrets=second)
        watched.run("deploy.py", "-y", "--json", *MAIL, secrets=second)
        watched.run("deploy.py", "--dry", *TALKATIVE, *MAIL, secrets=third)
        watched.run("deploy.py", "-y", *TALKATIVE, *MAIL, secrets=third)
        # Nobody may write to the database: the role's new password is refused, then the new sysadmin.
        for sql, options, says in (
            ("ALTER SYSTEM SET default_transaction_read_only = on", (), "Set up CKAN's database role"),
            (
                "ALTER ROLE ckan_default SET default_transaction_read_only = on",
                ("--data", "ckan_sysadmin=other"),
                "sysadmin",
            ),
        ):
            _psql(sql)
            secrets = failed if not options else {**failed, "postgresql_password": third["postgresql_password"]}
            for form in (TALKATIVE, ("--json",)):
                output = watched.run("deploy.py", "-y", *form, *MAIL, *options, secrets=secrets, status=1)
                assert says in output
            _psql("ALTER SYSTEM RESET default_transaction_read_only")
        watched.look_around()
        ini = _on_host("cat", "/etc/ckan/default/ckan.ini").decode()  # it is where secrets are, and forms finds them
        for secret in (third["postgresql_password"], failed["ckan_secret_key"]):
            assert any(form in ini for form in forms(secret))
    assert watched.leaks.found == set()


def _psql(sql: str) -> None:
    command = ["runuser", "-u", "postgres", "--", "psql", "-Xq", "-c", sql, "-c", "SELECT pg_reload_conf()"]
    subprocess.run(inside.run_argv(NAME, command), check=True, cwd="/", capture_output=True)
