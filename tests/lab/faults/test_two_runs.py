"""A second run on a host on which one is under way stops before any change and says whose it is."""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Iterator

import pytest

from lab import inside, network
from tests.lab.harness import deploy, faults, oracle
from tests.lab.harness.portal_host import NAME, PortalHost

pytestmark = pytest.mark.portal("dcor", crossed=True)

HELD = 3600  # seconds: longer than all else
REFUSED = 900  # seconds: a second run that is not refused would wait for dpkg's lock
LEFT = "which a run that is dead left running"


@pytest.fixture
def first(converged: PortalHost) -> Iterator[faults.Watched]:
    """A run that goes on for as long as the test wants: its first change waits for a lock that the test holds.

    The host's login shell talks meanwhile, also in the words of the lock: nothing of it is taken for an answer.
    """
    converged.run("sh", "-c", _TALKS)
    converged.run("rm", "/etc/systemd/journald.conf.d/ckan-deploy.conf")
    converged.run("dpkg", "--remove", "--force-depends", "logrotate")
    faults.hold_dpkg(HELD)
    run = faults.Watched()
    run.began("Base | Install base packages")
    yield run
    converged.run("sh", "-c", "cd ~deploy; if [ -e .bashrc.own ]; then mv .bashrc.own .bashrc; else rm .bashrc; fi")


_TALKS = """
cd ~deploy; if [ -e .bashrc ]; then mv .bashrc .bashrc.own; fi
echo "echo held; echo busy >&2; printf 'no end'; printf 'waits 1' >&2" > .bashrc
"""


def test_the_second_run_stops_and_says_who_the_first_is(converged: PortalHost, first: faults.Watched) -> None:
    before = oracle.snapshot(NAME)
    second = deploy.pyinfra("deploy.py", "-y", timeout=REFUSED)
    assert second.status == 1, second.output
    me, controller = f"{getpass.getuser()}@{socket.gethostname()}", network.ensure().gateway
    sentence = (
        rf"another run is under way on {NAME}, nothing was changed: {re.escape(me)} since "
        rf"20\d\d-\d\d-\d\d \d\d:\d\d:\d\d UTC from {re.escape(controller)}; "
        rf"if it is dead, end it with `sudo kill (\d+)` on {NAME} and run again"
    )
    found = re.search(sentence, second.stderr)
    assert found, second.stderr
    assert "Traceback" not in second.output
    # The first run goes on: it notes again and again in a file of its own that dpkg's lock is held.
    different = oracle.difference(before, oracle.snapshot(NAME))
    assert [line for line in different if not line.startswith("temporary files: /var/tmp/tmp.")] == []

    # A plan only reads.
    assert deploy.plan()[NAME]
    assert first.process.poll() is None, first.tail()
    faults.release_dpkg()
    assert first.end() == 0, first.tail()
    assert deploy.apply() == {}


def test_a_killed_run_holds_nothing(converged: PortalHost, first: faults.Watched) -> None:
    first.kill()
    faults.release_dpkg()
    assert "Base | Limit the journal" in deploy.apply()[NAME]
    assert deploy.plan() == {}


def test_the_sentence_ends_the_other_run(converged: PortalHost, first: faults.Watched) -> None:
    """The command in it frees the host, and the other run, should it be alive, fails."""
    second = deploy.pyinfra("deploy.py", "-y", timeout=REFUSED)
    found = re.search(r"end it with `sudo (kill \d+)`", second.stderr)
    assert found, second.stderr
    inside.run(NAME, found[1].split())
    assert first.end(faults.PATIENCE) == 1, first.tail()
    faults.release_dpkg()
    deploy.apply()
    assert deploy.plan() == {}


def test_what_a_dead_run_left_running_is_waited_for(converged: PortalHost) -> None:
    """Our commands outlive their connection: a download or a migration would otherwise meet itself."""
    archive = converged.run("sh", "-c", "ls /var/cache/ckan-deploy/solr-*.tgz").strip()
    converged.run("rm", archive)
    # The mirror answers late: what it is asked through waits for a file.
    converged.run("sh", "-c", _SLOW_CURL)
    run = faults.Watched()
    run.began("Solr | Download Solr")
    faults.wait_until_running("^sleep 0[.]3", run, "Solr | Download Solr")
    run.kill()
    converged.run("rm", "/usr/local/bin/curl")
    second = faults.Watched()
    second.wait_for(lambda: any(LEFT in line for line in second.output), "the process that was left running")
    converged.run("touch", "/run/answer")
    assert second.end() == 0, second.tail()
    assert deploy.plan() == {}
    assert converged.run("sh", "-c", f"ls {archive}*").split() == [archive]
    converged.run("rm", "/run/answer")


_SLOW_CURL = """
cat > /usr/local/bin/curl <<'EOF'
#!/bin/sh
case "$*" in *solr-*) while [ ! -e /run/answer ]; do sleep 0.3; done;; esac
exec /usr/bin/curl "$@"
EOF
chmod +x /usr/local/bin/curl
"""
