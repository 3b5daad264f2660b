"""System accounts, with stand-ins for the commands that change them."""

from __future__ import annotations

from pathlib import Path

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
