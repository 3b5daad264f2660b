"""PostgreSQL's cluster: which ones there are, and that one is made, with stand-ins for the distribution's tools."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path
from typing import Any

import pytest

import facts.cluster
import operations.cluster
from facts.cluster import Cluster, Clusters, ClustersState
from tests.unit.converge import apply, changed, settle, shim

SYSTEM = 7714186007099911140


class Clusterware:
    """PostgreSQL's folders of a host, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.etc, self.data, self.stamp = folder / "etc", folder / "data", folder / "stamps/making"
        self.asked = folder / "asked"

    def make(self, name: str, system: int = SYSTEM, **lines: str) -> Path:
        """Make a cluster as the distribution's tools leave it; its data folder."""
        data = self.data / name
        (data / "global").mkdir(parents=True)
        (data / "global/pg_control").write_bytes(struct.pack("=Q", system) + bytes(100))
        (data / "PG_VERSION").write_text(name.partition("/")[0] + "\n")
        (self.etc / name / "conf.d").mkdir(parents=True)
        wanted = {"data_directory": f"'{data}'\t\t# use data in another directory", "port": "5433", **lines}
        text = "#port = 1\n" + "".join(f"{key} = {value}\n" for key, value in wanted.items())
        (self.etc / name / "postgresql.conf").write_text(text)
        return data

    def read(self) -> ClustersState:
        fact: Any = Clusters()
        command = fact.command(cluster="15/main").get_raw_value()
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        return fact.process(done.stdout.splitlines()) if done.stdout else fact.default()  # type: ignore[no-any-return]


@pytest.fixture
def host(tmp_path: Path, shims: Path, monkeypatch: pytest.MonkeyPatch) -> Clusterware:
    host = Clusterware(tmp_path)
    for module in (facts.cluster, operations.cluster):
        monkeypatch.setattr(module, "CONFIGURATION", str(host.etc))
        monkeypatch.setattr(module, "making_stamp", lambda cluster: str(host.stamp))
    shim(shims, "pg_conftool", f'[ "$2 $4" = "/etc/postgresql-common/createcluster.conf data_directory" ] && '
         f"echo '{host.data}/%v/%c'")  # fmt: skip
    shim(
        shims,
        "pg_createcluster",
        f"""echo "LC_ALL=$LC_ALL $*" >> {host.asked}; shift 13
[ -e {host.stamp} ] || exit 4
mkdir -p {host.etc}/$1/$2/conf.d {host.data}/$1/$2/global
echo $1 > {host.data}/$1/$2/PG_VERSION
printf 12345678 > {host.data}/$1/$2/global/pg_control
[ ! -e {tmp_path}/kill ] || {{ rm {tmp_path}/kill; kill -9 $PPID; exit; }}
printf "data_directory = '{host.data}/$1/$2'\\ninclude_dir = 'conf.d'\\n" > {host.etc}/$1/$2/postgresql.conf""",
    )
    return host


def test_none() -> None:
    assert Clusters.default() == ClustersState()


def test_what_there_is(host: Clusterware) -> None:
    """Running or not, with the port that the last line says, and without its data."""
    data = host.make("15/main", include_dir="'conf.d'")
    (host.etc / "15/main/conf.d/ckan-deploy.conf").write_text("port = 5432\n")
    (data / "postmaster.opts").write_text("")
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n")  # a process of that number is no PostgreSQL
    gone = host.make("17/other", 18446744073709551615)
    (gone / "global/pg_control").unlink()
    (gone / "PG_VERSION").unlink()
    made = int((data / "PG_VERSION").stat().st_mtime)
    assert host.read() == ClustersState(
        (
            Cluster("15/main", str(data), str(SYSTEM), made, 5432, False, True, True),
            Cluster("17/other", str(gone), "", 0, 5433, False, False, False),
        )
    )
    assert host.read().find("17/main") is None


def test_it_runs(host: Clusterware) -> None:
    data = host.make("15/main")
    # The first word of a process's name is what counts; "postgres" here is a copy of sleep.
    program = host.data / "postgres"
    program.write_bytes(Path("/bin/sleep").read_bytes())
    program.chmod(0o755)
    with subprocess.Popen([program, "60"]) as process:
        (data / "postmaster.pid").write_text(f"{process.pid}\n")
        assert host.read().clusters[0].runs
        process.kill()


def test_one_is_made_whatever_the_locale(host: Clusterware, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "xx_XX.UTF-8")
    host.make("14/main", SYSTEM + 1)
    assert changed(operations.cluster.made, cluster="15/main", port=5499)
    (asked,) = host.asked.read_text().splitlines()
    assert asked == (
        "LC_ALL=C.UTF-8 --quiet --user postgres --port 5499 --locale C.UTF-8 --encoding UTF8 --start-conf auto "
        "--pgoption add_include_dir=conf.d 15 main"
    )
    assert not host.stamp.exists()
    assert len(host.read().clusters) == 2


def test_a_half_made_one_is_made_again(host: Clusterware, tmp_path: Path) -> None:
    (tmp_path / "kill").write_text("")
    first = apply(operations.cluster.made, cluster="15/main", port=5432)
    assert first.failed
    assert host.stamp.exists()
    assert (host.data / "15/main/PG_VERSION").exists()
    (host.data / "15/main/of the first").write_text("")
    settle(operations.cluster.made, cluster="15/main", port=5432)
    assert not (host.data / "15/main/of the first").exists()


def test_a_server_ran_from_it_so_it_is_not_half(host: Clusterware) -> None:
    data = host.make("15/main", include_dir="'conf.d'")
    (data / "postmaster.opts").write_text("")
    host.stamp.parent.mkdir()
    host.stamp.write_text("")
    assert host.read().making
    assert not changed(operations.cluster.made, cluster="15/main", port=5432)


@pytest.mark.parametrize("ran", [True, False])
def test_data_without_a_configuration_stays(host: Clusterware, ran: bool) -> None:
    """pg_createcluster would adopt it, or drop it when it cannot."""
    data = host.make("15/main")
    (host.etc / "15/main/postgresql.conf").unlink()
    if ran:
        (data / "postmaster.opts").write_text("")
        host.stamp.parent.mkdir()
        host.stamp.write_text("")
    outcome = apply(operations.cluster.made, cluster="15/main", port=5432)
    assert outcome.failed
    assert f"{data} holds files, but there is no {host.etc}/15/main/postgresql.conf: put that back" in outcome.output
    assert (data / "global/pg_control").exists()
    assert not host.asked.exists()


@pytest.mark.parametrize("line", [None, "'/etc/somewhere'"])
def test_its_configuration_includes_ours(host: Clusterware, line: str | None) -> None:
    """A cluster that somebody made without the folder; a folder of theirs stays."""
    if line:
        host.make("15/main", include_dir=line)
    else:
        host.make("15/main")
    assert changed(operations.cluster.made, cluster="15/main", port=5432)
    text = (host.etc / "15/main/postgresql.conf").read_text()
    assert text.endswith("\ninclude_dir = 'conf.d'\n")
    assert (f"include_dir = {line}" in text) == bool(line)
