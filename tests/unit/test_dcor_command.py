"""The command dcor, with a stand-in that gives all in CKAN's folders to CKAN's account, as `dcor inspect` does."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from operations.text import render
from tests.unit.attacker import UID, Attacker, attacker

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs a second account, and mounts")

# By name, and following links; whoever is to lay one meanwhile is run first.
_INSPECT = """#!/bin/sh
[ "$1" = inspect ] || {{ echo "dcor $*"; exit; }}
[ ! -x {folder}/meanwhile ] || {folder}/meanwhile
find -L {theirs} -exec chown {uid}:{uid} {{}} + -exec chmod a+rX {{}} +
echo "inspected: $(ls {theirs})"
"""


class Command:
    """The command in a folder, for the folders of an attacker."""

    def __init__(self, foe: Attacker) -> None:
        self.folder = foe.folder.parent
        self.log = foe.folder / "log"
        self.log.mkdir()
        os.chown(self.log, UID, UID)
        (self.folder / "bin").mkdir()
        (self.folder / "bin/python").symlink_to(sys.executable)
        inspect = _INSPECT.format(folder=self.folder, theirs=foe.folder, uid=UID)
        self._program(self.folder / "bin/dcor", inspect)
        text = render(
            "dcor/dcor.py.j2",
            environment=str(self.folder),
            ini="/etc/ckan/x.ini",
            variables={"OF_DCOR": "yes"},
            folders=(str(foe.folder), str(self.log), str(foe.folder / "not there yet")),
            whole=(str(self.log),),
        )
        self._program(self.folder / "dcor", text.secret)

    def _program(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)

    def meanwhile(self, words: str) -> None:
        """Have WORDS run by the attacker once the real command has been started."""
        as_them = f"setpriv --reuid={UID} --regid={UID} --clear-groups"
        self._program(self.folder / "meanwhile", f"#!/bin/sh\nexec {as_them} {words}\n")

    def run(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], **variables}
        command = [str(self.folder / "dcor"), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def foe() -> Iterator[Attacker]:
    with attacker() as made:
        yield made


@pytest.fixture
def dcor(foe: Attacker) -> Command:
    return Command(foe)


def test_it_runs_where_nobody_laid_a_link(dcor: Command, foe: Attacker) -> None:
    (dcor.log / "of root.log").touch()
    done = dcor.run("inspect", "--assume-yes")
    assert (done.returncode, done.stderr) == (0, "")
    assert "inspected: log" in done.stdout
    assert (dcor.log / "of root.log").stat().st_uid == UID
    assert foe.won == ""


def _link(dcor: Command, foe: Attacker) -> Path:
    path = dcor.log / "ckan.log"
    path.symlink_to(foe.victim)
    return path


def _folder(dcor: Command, foe: Attacker) -> Path:
    dcor.log.rename(foe.folder / "taken")
    dcor.log.symlink_to(foe.victim.parent)
    return dcor.log


def _second_name(dcor: Command, foe: Attacker) -> Path:
    path = dcor.log / "deep"
    path.mkdir()
    (path / "x").hardlink_to(foe.victim)
    return path / "x"


@pytest.mark.parametrize("lay", [_link, _folder, _second_name])
def test_it_is_refused_while_links_are_there(lay, dcor: Command, foe: Attacker) -> None:  # type: ignore[no-untyped-def]
    path = lay(dcor, foe)
    done = dcor.run("inspect", "--assume-yes")
    assert done.returncode == 1 and done.stdout == ""
    assert "was not run, nothing was changed: it would give to www-data" in done.stderr
    assert f"'{path}'; see who laid them, and remove them" in done.stderr
    assert foe.won == ""
    assert dcor.run("status").stdout == "dcor status\n"  # which gives nothing to anybody


def test_a_link_that_is_laid_meanwhile_is_not_followed(dcor: Command, foe: Attacker) -> None:
    dcor.meanwhile(f"ln -s {foe.victim} {dcor.log}/ckan.log")
    done = dcor.run("inspect", "--assume-yes")
    assert "inspected: log" in done.stdout and (dcor.log / "ckan.log").is_symlink()
    assert foe.won == ""


def test_a_folder_that_becomes_a_link_meanwhile_is_not_followed(dcor: Command, foe: Attacker) -> None:
    dcor.meanwhile(f"sh -c 'mv {dcor.log} {foe.folder}/taken; ln -s {foe.victim.parent} {dcor.log}'")
    dcor.run("inspect", "--assume-yes")
    assert foe.won == ""


def test_another_ckan_ini_has_other_folders(dcor: Command) -> None:
    done = dcor.run("inspect", CKAN_INI="/etc/ckan/other.ini")
    assert done.returncode == 1 and "it looks after the folders of /etc/ckan/x.ini alone" in done.stderr
