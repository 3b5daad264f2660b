"""Packages, with stand-ins for dpkg and apt-get that keep their state in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from operations import apt
from tests.unit.converge import apply, changed, shim


@pytest.fixture
def machine(tmp_path: Path, shims: Path) -> Path:
    """Return a folder: ``installed`` and ``available`` packages, ``log`` of changes, times of lists and sources."""
    folder = tmp_path / "machine"
    folder.mkdir()
    (folder / "installed").write_text("curl 8\n")
    (folder / "available").write_text("curl nginx redis-server\n")
    (folder / "lists").write_text("2000.5\n")
    (folder / "sources").write_text("1000.5\n")
    (folder / "log").write_text("")
    head = f"cd {folder}"
    shim(
        shims,
        "dpkg-query",
        f"""{head};
if [ $# = 3 ]; then
  case "$3" in *unfinished*) word='unfinished ';; esac
  [ ! -e torn ] || sed "s/|/|$word/" torn
  exit 0
fi
shift 3; status=0
for p in "$@"; do grep "^$p " installed | sed 's/^/package ii  /' | grep . || status=1; done
exit $status""",
    )
    shim(
        shims,
        "dpkg",
        f"""{head}
case "$1" in
  --audit) [ ! -e interrupted ] || echo "The following packages are only half configured";;
  --configure) if [ -e interrupted ]; then echo "dpkg $*" >> log; rm interrupted; fi;;
  *) exec "$REAL" "$@";;
esac""",
    )
    shim(
        shims,
        "apt-get",
        f"""{head}
if [ -e locked ]; then
  echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt)" >&2; rm locked; exit 100
fi
[ "$DEBIAN_FRONTEND $NEEDRESTART_SUSPEND" = "noninteractive 1" ] || exit 97
command=
for a in "$@"; do
  case "$a" in
    -s) [ -e conflicting ] && sed 's/.*/Remv & [1]/' conflicting; exit 0;;
    --no-remove) careful=yes;;
    install|update|remove) command=$a;;
    --reinstall) rm torn; rest=" $a";;
    -*|*=*) ;;
    *) rest="$rest $a";;
  esac
done
echo "$command$rest" >> log
case $command in
  update) echo 9999.5 > lists; [ ! -e newer ] || mv newer available;;
  install)
    [ "$CKAN_DEPLOY_NO_START" = 1 ] || exit 98
    case $rest in *--reinstall*) exit 0;; esac
    if [ -e conflicting ]; then
      [ "$careful" = yes ] || {{ rm installed; exit 0; }}
      echo "E: Packages need to be removed but remove is disabled." >&2; exit 100
    fi
    for p in $rest; do grep -qw -- "$p" available || {{ echo "E: Unable to locate package $p" >&2; exit 100; }}; done
    for p in $rest; do echo "$p 1" >> installed; done;;
  remove) for p in $rest; do sed -i "/^$p /d" installed; done;;
esac""",
    )
    shim(
        shims,
        "find",
        f"""case "$1" in
  /var/lib/apt/lists) cat {folder}/lists;;
  /etc/apt/*) cat {folder}/sources;;
  *) exec "$REAL" "$@";;
esac""",
    )
    shim(shims, "sleep", "exit 0")
    return folder


def log(machine: Path) -> list[str]:
    return (machine / "log").read_text().splitlines()


def test_only_what_is_missing_is_installed(machine: Path) -> None:
    assert changed(apt.packages, packages=["redis-server", "curl", "nginx"])
    assert log(machine) == ["install nginx redis-server"]


def test_nothing_missing_asks_no_archive(machine: Path) -> None:
    (machine / "sources").write_text("3000\n")
    assert not changed(apt.packages, packages=["curl"])
    assert log(machine) == []


def test_lists_older_than_their_sources_are_refreshed_first(machine: Path) -> None:
    (machine / "sources").write_text("3000\n")
    assert changed(apt.packages, packages=["nginx"])
    assert log(machine) == ["update", "install nginx"]


def test_a_host_without_lists(machine: Path) -> None:
    (machine / "lists").write_text("")
    assert changed(apt.packages, packages=["nginx"])
    assert log(machine) == ["update", "install nginx"]


def test_lists_that_the_archive_has_outgrown_are_refreshed_and_it_is_tried_again(machine: Path) -> None:
    (machine / "newer").write_text("curl nginx\n")
    (machine / "available").write_text("curl\n")
    assert changed(apt.packages, packages=["nginx"])
    assert log(machine) == ["install nginx", "update", "install nginx"]


def test_an_unknown_package_is_said(machine: Path) -> None:
    outcome = apply(apt.packages, packages=["ngnix"])
    assert outcome.predicted
    assert outcome.failed
    assert "Unable to locate package ngnix" in outcome.output


def test_nothing_is_removed_for_what_is_installed(machine: Path) -> None:
    (machine / "conflicting").write_text("exim4-base\nexim4\n")
    before = (machine / "installed").read_text()
    outcome = apply(apt.packages, packages=["msmtp-mta", "nginx"])
    assert outcome.failed
    assert "msmtp-mta nginx cannot be installed beside exim4-base exim4; where" in outcome.output
    assert (machine / "installed").read_text() == before


def test_an_interrupted_dpkg_is_repaired_even_if_nothing_is_missing(machine: Path) -> None:
    (machine / "interrupted").touch()
    assert changed(apt.packages, packages=["curl"])
    assert log(machine) == ["dpkg --configure -a --force-confdef --force-confold"]
    (machine / "interrupted").touch()
    assert changed(apt.packages, packages=["nginx"])
    assert log(machine)[-1] == "install nginx"


def test_a_package_that_was_being_unpacked_is_installed_again(machine: Path) -> None:
    (machine / "interrupted").touch()
    (machine / "torn").write_text("iHR|openssl\nii |curl\niF |unconfigured\niUR|nginx\n")
    assert changed(apt.packages, packages=["curl"])
    assert log(machine) == ["dpkg --configure -a --force-confdef --force-confold", "install --reinstall openssl nginx"]


def test_a_lock_is_waited_for(machine: Path) -> None:
    (machine / "locked").touch()
    assert changed(apt.packages, packages=["nginx"])
    assert log(machine) == ["install nginx"]


def test_a_lock_is_waited_for_in_german(machine: Path, shims: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    english = (shims / "apt-get").read_text()
    german = english.replace("set -e", "").replace(
        'echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1 (apt)" >&2',
        'case "$LC_ALL" in C*) echo "E: Could not get lock /x";; *) echo "E: Konnte Sperre nicht bekommen";; esac >&2',
    )
    assert german != english
    (shims / "apt-get").write_text(german)
    # Each command but the last fails on the lock: waiting for it is what helps, refreshing the lists is not.
    (machine / "locked").touch()
    assert changed(apt.packages, packages=["nginx"])
    assert log(machine) == ["install nginx"]


def test_absent(machine: Path) -> None:
    assert changed(apt.absent, packages=["curl", "nginx"])
    assert log(machine) == ["remove curl"]


def test_the_fact_reads_a_real_dpkg(tmp_path: Path) -> None:
    """Without any stand-in: every Debian and Ubuntu has dpkg."""
    assert not apply(apt.packages, packages=["dpkg"], dry=True).predicted
    assert apply(apt.packages, packages=["dpkg", "no-such-package"], dry=True).predicted
