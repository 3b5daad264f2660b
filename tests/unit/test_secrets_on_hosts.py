"""No moment and no output in which a secret that is installed can be seen by others."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from operations import files
from operations.text import Text
from settings.secret import Secret
from tests.unit import programs
from tests.unit.converge import apply, mode, shim

ROOT = Path(__file__).resolve().parent.parent.parent
NEW, OLD = "n3w-s3cret-%w0rd", "0ld-s3cret-%w0rd"
TEXT = Text(f"user = u\npassword = {NEW}\n", "user = u\npassword = *MASKED*\n")


def spy(shims: Path, log: Path, dest: Path) -> None:
    """Have each command of the installation note, before it runs, the mode and owner of all files that it handles."""
    for command in ("cat", "chown", "chmod", "sync", "mv", "ln", "rm"):
        look = (
            f'for f in "{dest}" {dest.parent}/.*ckan-deploy*; do [ -f "$f" ] && stat -Lc "{command} %a %n" "$f"; done'
        )
        # Opened by the shell already when cat begins: standard output is the file that the secret goes to.
        out = f'stat -Lc "{command} %a stdout" /proc/self/fd/1 >> {log}; ' if command == "cat" else ""
        spot = f"tr '\\0' ' ' < /proc/$PPID/cmdline >> {log}.argv; tr '\\0' '\\n' < /proc/$PPID/environ >> {log}.argv"
        shim(shims, command, f'{out}{{ {look}; }} >> {log} 2>&1; {spot}; exec "$REAL" "$@"')


@pytest.mark.parametrize("wanted", [0o600, 0o640, 0o660])
def test_a_secret_is_never_readable_by_others(wanted: int, tmp_path: Path, shims: Path, owner: dict[str, Any]) -> None:
    folder = tmp_path / "etc"
    folder.mkdir()
    dest, log = folder / "app.conf", tmp_path / "log"
    dest.write_text(f"user = u\npassword = {OLD}\n")
    dest.chmod(wanted)
    spy(shims, log, dest)
    before = os.umask(0)
    try:
        outcome = apply(files.install, dest=str(dest), text=TEXT, mode=wanted, check="true", **owner)
    finally:
        os.umask(before)
    assert outcome.changed, outcome.output
    assert (dest.read_text(), mode(dest)) == (TEXT.secret, wanted)
    seen = [line.split(" ", 2) for line in log.read_text().splitlines()]
    assert ["cat", "600", "stdout"] in seen
    assert {command for command, _, _ in seen} >= {"cat", "chown", "chmod", "sync", "mv", "ln"}
    for command, found, path in seen:
        assert int(found, 8) & 0o007 == 0, (command, found, path)
        # The group may read only once the file belongs to the right one.
        if command in ("cat", "chown", "chmod") and path != str(dest):
            assert found == "600", (command, found, path)
    spotted = (tmp_path / "log.argv").read_text()
    assert "ckan-deploy" in spotted  # the script's own command line is in there …
    assert NEW not in spotted  # … and the secret is not, nor in the environment
    assert OLD not in spotted


def test_a_killed_installation_leaves_only_a_private_file(tmp_path: Path, shims: Path, owner: dict[str, Any]) -> None:
    dest = tmp_path / "app.conf"
    shim(shims, "chown", "kill -9 $PPID $$")
    before = os.umask(0)
    try:
        outcome = apply(files.install, dest=str(dest), text=TEXT, mode=0o640, **owner)
    finally:
        os.umask(before)
    assert outcome.failed
    (rest,) = (path for path in tmp_path.iterdir() if path != shims)
    assert rest.name == ".app.conf.ckan-deploy"
    assert (mode(rest), mode(rest / "file")) == (0o700, 0o600)
    (shims / "chown").unlink()
    assert apply(files.install, dest=str(dest), text=TEXT, mode=0o640, **owner).changed
    assert not rest.exists()


def _pyinfra(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return programs.run(["-m", "pyinfra", "-vvv", "--debug", *arguments], cwd=folder, env=environment)


DEPLOY = """\
from operations import files, kept
from operations.text import render
from settings.secret import Secret
from pathlib import Path

# Notes of what was written, in place of this machine's own.
for name in (kept.FOLDER, kept.WRITTEN):
    files._INSTALL = files._INSTALL.replace(name, str(Path("kept").resolve() / name.lstrip("/")))
secret = Secret(Path("new-secret").read_text())
files.install(
    name="Install the key", dest={dest!r}, text=render("tls/key.pem.j2", key=secret), owner={owner!r}, group={group!r},
    mode=0o600, check=None if {check!r} == "true" else {check!r},
)
"""


@pytest.mark.parametrize("check", ["true", "false"])
@pytest.mark.parametrize("options", [("--dry", "--diff"), ("-y",), ("-y", "--diff")])
def test_pyinfra_prints_no_secret(check: str, options: tuple[str, ...], tmp_path: Path, owner: dict[str, Any]) -> None:
    dest = tmp_path / "key"
    dest.write_text(f"# {OLD}\n")
    (tmp_path / "new-secret").write_text(NEW)
    (tmp_path / "portal.py").write_text(DEPLOY.format(dest=str(dest), check=check, **owner))
    result = _pyinfra(tmp_path, "@local", "portal.py", *options)
    output = result.stdout + result.stderr
    assert "Install the key" in output
    assert NEW not in output
    assert OLD not in output
    assert result.returncode == (1 if check == "false" and "--dry" not in options else 0), output
    written = "--dry" not in options and check == "true"
    assert dest.read_text() == (f"{NEW}\n" if written else f"# {OLD}\n")
    if "--diff" in options:
        assert "~*** → *** (changes: who pinned it needs the new certificate)" in output


def test_pyinfra_prints_no_secret_among_settings(tmp_path: Path) -> None:
    """What somebody might print while searching for an error."""
    secret = Secret(NEW)
    assert NEW not in f"{secret} {secret!r} {[secret]} {secret.to_json()}"
