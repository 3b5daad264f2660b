"""System accounts, with stand-ins for the commands that change them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from operations import users
from tests.unit.converge import changed, shim


def test_system(tmp_path: Path, shims: Path) -> None:
    passwd = tmp_path / "passwd"
    passwd.write_text("root:x:0:0::/root:/bin/sh\n")
    shim(shims, "getent", f'grep "^$2:" {passwd}')
    shim(shims, "id", f'grep -q "^$2:" {passwd}')
    shim(
        shims,
        "useradd",
        f"""wanted="--system --user-group --no-create-home --home-dir --shell /usr/sbin/nologin"
[ "$1 $2 $3 $4 $6 $7" = "$wanted" ] || exit 3
echo "$8:x:999:999::$5:$7" >> {passwd}""",
    )
    shim(shims, "usermod", f'[ "$1" = -d ] && sed -i "s#^$3:\\(.*\\):[^:]*:#$3:\\1:$2:#" {passwd}')
    assert changed(users.system, user="solr", home="/var/solr")
    assert "solr:x:999:999::/var/solr:/usr/sbin/nologin" in passwd.read_text()
    passwd.write_text(passwd.read_text().replace("/var/solr", "/home/solr"))
    assert changed(users.system, user="solr", home="/var/solr")
    assert passwd.read_text().count("solr:x") == 1
    assert ":/var/solr:" in passwd.read_text()


@pytest.mark.parametrize("apart", [False, True])
def test_a_removed_account_gets_its_number_back(apart: bool, tmp_path: Path, shims: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    home = "/nonexistent" if apart else str(folder)
    if os.geteuid() != 0:
        pytest.skip("a folder must belong to an account that is not there")
    os.chown(folder, 61234, 61235)
    shim(shims, "getent", f'[ "$2" = solr ] && cat {tmp_path}/passwd 2>/dev/null')
    shim(shims, "id", "exit 1")
    shim(shims, "groupadd", f'echo "$@" > {tmp_path}/group')
    shim(shims, "useradd", f'echo "$@" > {tmp_path}/user; echo "solr:x:61234:61235::{home}:" > {tmp_path}/passwd')
    assert changed(users.system, user="solr", home=home, data=str(folder) if apart else "")
    assert "--uid 61234 --gid solr" in (tmp_path / "user").read_text()
