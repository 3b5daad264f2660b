"""Background jobs and scheduled ones on a real portal: done, restarted when they should be, limited, and removed."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import inside
from tests.lab.harness import deploy, faults, variants
from tests.lab.harness.jobs import horses, property_of, sleep, until
from tests.lab.harness.portal_host import NAME, PortalHost

pytestmark = pytest.mark.portal("ckan")

PROGRAM = "ckan-worker"
LOG = f"/var/log/ckan-programs/{PROGRAM}.log"
COUNT = ("sh", "-c", "pgrep -fc '[j]obs worker default'; [ $? -le 1 ]")
# All that supervisor knows of, or 3 where one does not run; and what is described to it.
THERE = ("sh", "-ec", "supervisorctl status || [ $? = 3 ]; ls /etc/supervisor/conf.d")
FOLLOW = "Workers | Run the workers with their newest code and configuration"
TRACKING = "ckan-scheduled-tracking"
NOTIFY = "ckan-scheduled-notify"
JOBS = {
    "ckan_extensions": [{"plugins": ["activity", "tracking"]}],
    "ckan_options": {"ckan.activity_streams_email_notifications": "true"},
    "ckan_smtp_server": "127.0.0.1:25",
    "ckan_mail_from": "portal@portal.test",
}


def workers(state: str = "RUNNING") -> set[int]:
    """Process numbers of the default queue's workers that are in STATE."""
    lines = _status().splitlines()
    return {int(found[1]) for line in lines if (found := re.search(rf"{state} +pid (\d+)", line))}


def _status() -> str:
    """What supervisor says of the default queue's workers; its status is 3 where one of them does not run."""
    done = inside.run(NAME, ["supervisorctl", "status", f"{PROGRAM}:*"], check=False)
    assert done.returncode in (0, 3) and PROGRAM in done.stdout, done
    return done.stdout


@pytest.fixture
def running(converged: PortalHost) -> Iterator[PortalHost]:
    until(lambda: bool(workers()), "a worker runs")
    yield converged


def test_a_job_is_done(running: PortalHost) -> None:
    assert 'queue "default"' in running.run("ckan", "jobs", "test")
    until(lambda: "A test job" in running.run("cat", LOG), "the job is done")
    assert "no pending jobs" in running.run("ckan", "jobs", "list")


def test_ckans_account_lays_links_in_vain(running: PortalHost) -> None:
    """Supervisor opens logs as root at each start of a program; a run goes through the folders of that account."""
    as_ckan = ("runuser", "-u", "www-data", "--", "sh", "-c")
    victim, lay = "/root/victim", 'ln -sfn /root/victim "$1"'
    running.run("install", "-m", "600", "/dev/null", victim)
    before = running.run("stat", "-c", "%u %a %s", victim)
    laid = ["/var/log/ckan/ckan-worker.log", "/var/log/ckan/ckan-uwsgi.log", "/var/lib/ckan/x"]
    try:
        for path in laid:
            running.run(*as_ckan, f"rm -f {path}; {lay}", "sh", path)
        refused = inside.run(NAME, [*as_ckan, lay, "sh", LOG], check=False)
        assert refused.returncode and "Permission denied" in refused.stderr
        pids = workers()
        running.run("supervisorctl", "restart", f"{PROGRAM}:*")
        until(lambda: bool(workers() - pids), "the worker was started again")
        running.run("logrotate", "--force", "/etc/logrotate.d/ckan")
        assert deploy.apply() == {}
        assert running.run("stat", "-c", "%u %a %s", victim) == before
    finally:
        running.run("rm", "-f", victim, *laid)


def test_nobody_queues_a_job_without_the_password(running: PortalHost) -> None:
    """Jobs are pickles: who can write to the queue runs what they want as CKAN's account."""
    command = ["runuser", "-u", "nobody", "--", "redis-cli", "lpush", "rq:queue:ckan:default:default", "x"]
    assert "NOAUTH" in inside.run(NAME, command, check=False).stdout


def test_a_killed_worker_comes_back(running: PortalHost) -> None:
    (before,) = workers()
    running.run("kill", "-KILL", str(before))
    until(lambda: len(workers()) == 1 and before not in workers(), "another worker runs")
    done = running.run("cat", LOG).count("A test job")
    running.run("ckan", "jobs", "test")
    until(lambda: running.run("cat", LOG).count("A test job") > done, "the job is done")
    assert deploy.plan() == {}


def test_it_is_restarted_exactly_when_something_changed(running: PortalHost) -> None:
    before = workers()
    package = "/usr/lib/ckan/default/lib/python3*/site-packages/ckan/lib"
    running.run("sh", "-c", f"cd {package} && touch __pycache__/new.pyc && echo >> {LOG} && rm -rf search/__pycache__")
    running.run("sh", "-c", f"cd {package}/search && mkdir __pycache__ && touch __pycache__/x.pyc")
    assert deploy.plan() == {}
    assert deploy.apply() == {}
    assert workers() == before
    for change in (f"touch {package}/jobs.py", "touch /etc/ckan/default/ckan.ini"):
        running.run("sh", "-c", change)
        changed = deploy.plan_and_apply()[NAME]
        assert {FOLLOW, "uWSGI | Run CKAN with its newest code and configuration"} <= set(changed)
        assert len(workers()) == 1 and not workers() & before
        before = workers()
        assert deploy.plan() == {}


def test_the_number_of_workers_is_a_setting(running: PortalHost, tmp_path: Path) -> None:
    three = variants.inventory({"workers_default": 3}, tmp_path)
    assert deploy.plan_and_apply(inventory=three)[NAME][-2:] == [
        "Workers | Describe the workers of default to supervisor",
        FOLLOW,
    ]
    assert len(workers()) == 3
    assert running.run(*COUNT) == "3\n"
    assert deploy.plan(inventory=three) == {}
    none = variants.inventory({"workers_default": 0}, tmp_path)
    assert "Workers | Remove the workers of default" in deploy.plan_and_apply(inventory=none)[NAME]
    assert deploy.plan(inventory=none) == {}
    assert running.run(*COUNT) == "0\n"
    there = set(running.run(*THERE).split())
    assert {"ckan-uwsgi:ckan-uwsgi-00", "ckan-uwsgi.conf"} <= there
    assert not {f"{PROGRAM}:{PROGRAM}-00", f"{PROGRAM}.conf"} & there
    deploy.plan_and_apply()
    assert len(workers()) == 1


def test_a_program_of_a_package_is_removed(running: PortalHost) -> None:
    """And when a run was killed between the removal of its file and of the program."""
    file = "/etc/supervisor/conf.d/ckan-datapusher.conf"
    for then in ("", f"; rm {file}"):
        program = r"[program:ckan-datapusher]\ncommand=/bin/sleep 9999\n"
        running.run("sh", "-ec", f"printf '{program}' > {file}; supervisorctl update >/dev/null{then}")
        assert deploy.plan_and_apply()[NAME] == ["Workers | Remove DataPusher"]
        there = running.run(*THERE)
        assert "datapusher" not in there and "ckan-uwsgi.conf" in there, there
    assert deploy.plan() == {}


def test_a_job_in_progress_has_time_to_end(running: PortalHost) -> None:
    """It goes on until its worker has been asked to stop, and ends by itself."""
    (worker,) = workers()
    end = "/run/end-of-the-job"
    job = sleep("until", end)
    until(lambda: sleep("state", job) == "started", "the job is in progress")
    (horse,) = horses()
    running.run("touch", "/etc/ckan/default/ckan.ini")
    planned = deploy.plan()[NAME]
    run = faults.Watched()
    run.began(FOLLOW)
    until(lambda: "STOPPING" in _status(), "the worker is asked to stop")
    time.sleep(5)  # a worker that has no time would be gone by now
    assert horses() == [horse], "the job did not outlast the request"
    assert sleep("state", job) == "started"
    assert "jobs worker" in running.run("ps", "-o", "args=", "-p", str(worker)), "the worker did not wait for its job"
    assert run.steps[-1] == faults.Step(FOLLOW), "the run did not wait for the worker"
    running.run("touch", end)
    assert run.end() == 0, run.tail()
    assert [step.name for step in run.steps if step.result == "Success"] == planned
    assert sleep("state", job) == "finished"
    assert len(workers()) == 1 and worker not in workers()
    assert deploy.plan() == {}
    running.run("rm", end)


def test_a_job_that_takes_too_long_is_ended_with_its_worker(running: PortalHost, tmp_path: Path) -> None:
    short = variants.inventory({"workers_stop_seconds": 2}, tmp_path)
    deploy.plan_and_apply(inventory=short)
    job = sleep("begin", "900")
    until(lambda: len(horses()) == 1, "the job is in progress")
    (horse,) = horses()
    running.run("touch", "/etc/ckan/default/ckan.ini")
    began = time.monotonic()
    deploy.plan_and_apply(inventory=short)
    assert time.monotonic() - began < 300
    assert horse not in horses(), "the job lives on without its worker"
    assert len(workers()) == 1
    assert sleep("state", job) != "finished"
    deploy.apply()


def test_workers_that_do_not_run_are_said(running: PortalHost) -> None:
    """A worker that ends at once: the run says which, and where its log is."""
    deploy.apply()
    worker = "/usr/lib/ckan/default/bin/ckan"
    running.run("sh", "-ec", f"cp -a {worker} /root/ckan; sed -i '1a raise SystemExit(3)' {worker}")
    done = deploy.pyinfra("deploy.py", "-y")
    assert done.status == 1
    assert re.search(rf"not running after \d+ seconds: {PROGRAM}: .*, see {LOG}", done.output), done.output[-3000:]
    running.run("sh", "-ec", f"cat /root/ckan > {worker}; rm /root/ckan")
    assert FOLLOW in deploy.plan_and_apply()[NAME]
    assert deploy.plan() == {}


@pytest.fixture
def scheduled(running: PortalHost, tmp_path: Path) -> str:
    """The inventory of a portal with jobs, which is deployed."""
    running.mark_changed()  # tables of the plugins stay in the database
    inventory = variants.inventory(JOBS, tmp_path)
    deploy.plan_and_apply(inventory=inventory)
    return inventory


def test_scheduled_jobs(running: PortalHost, scheduled: str, tmp_path: Path) -> None:
    assert deploy.plan(inventory=scheduled) == {}
    _run_at_their_times(running)
    _do_not_overlap(running)
    _changed_times_are_in_force(running, tmp_path)
    _are_repaired(running, scheduled)
    _are_ended(running, tmp_path)
    _are_removed(running, tmp_path)


def _run_at_their_times(portal_host: PortalHost) -> None:
    for unit in (TRACKING, NOTIFY):
        assert property_of(f"{unit}.timer", "ActiveState") == "active"
        assert property_of(f"{unit}.timer", "UnitFileState") == "enabled"
        assert property_of(f"{unit}.timer", "NextElapseUSecRealtime")
        portal_host.run("systemctl", "start", unit)
        assert property_of(unit, "Result") == "success"
    assert "tracking updated for" in portal_host.run("journalctl", "-u", TRACKING, "-o", "cat")
    timers = json.loads(portal_host.run("systemctl", "list-timers", "--output=json", "ckan-scheduled-*"))
    assert {timer["unit"] for timer in timers} >= {f"{TRACKING}.timer", f"{NOTIFY}.timer"}


def _do_not_overlap(portal_host: PortalHost) -> None:
    drop_in = f"/run/systemd/system/{TRACKING}.service.d"
    wait = "until [ -e /run/end-of-the-job ]; do sleep 0.1; done"
    slow = f'[Service]\nExecStart=\nExecStart=/bin/sh -c "echo begins; {wait}; echo ends"\n'
    portal_host.run("mkdir", "-p", drop_in)
    inside.run(NAME, ["sh", "-c", f"cat > {drop_in}/slow.conf"], text=slow)
    portal_host.run("systemctl", "daemon-reload")
    since = portal_host.run("date", "+%s.%N").strip()
    portal_host.run("systemctl", "start", "--no-block", TRACKING)
    until(lambda: property_of(TRACKING, "ActiveState") == "activating", "it runs")
    # The second one waits for the first.
    second = f"systemctl start {TRACKING} & second=$!; sleep 1; kill -0 $second"
    portal_host.run("sh", "-ec", f"{second}; touch /run/end-of-the-job; wait $second; rm /run/end-of-the-job")
    said = portal_host.run("journalctl", "-u", TRACKING, "-o", "cat", f"--since=@{since}").splitlines()
    assert [line for line in said if line in ("begins", "ends")] == ["begins", "ends"]
    portal_host.run("sh", "-ec", f"rm -r {drop_in}; systemctl daemon-reload")


def _changed_times_are_in_force(portal_host: PortalHost, folder: Path) -> None:
    before = property_of(f"{TRACKING}.timer", "TimersCalendar")
    other = variants.inventory({**JOBS, "scheduled_times": {"tracking": "Sun 03:21"}}, folder)
    assert deploy.plan_and_apply(inventory=other)[NAME] == [
        "Scheduled | Describe the timer of tracking",
        "Scheduled | Schedule tracking",
    ]
    assert before != property_of(f"{TRACKING}.timer", "TimersCalendar")
    assert "Sun" in property_of(f"{TRACKING}.timer", "TimersCalendar")
    assert re.match(r"Sun .* 03:21:00", property_of(f"{TRACKING}.timer", "NextElapseUSecRealtime"))
    assert deploy.plan(inventory=other) == {}
    # A run that was killed between the file and the timer, and somebody's daemon-reload.
    file = f"/etc/systemd/system/{TRACKING}.timer"
    portal_host.run("sh", "-ec", f"touch {file}; systemctl daemon-reload")
    assert deploy.plan_and_apply(inventory=other)[NAME] == ["Scheduled | Schedule tracking"]
    assert deploy.plan(inventory=other) == {}


def _are_repaired(portal_host: PortalHost, inventory: str) -> None:
    deploy.apply(inventory=inventory)
    file = f"/etc/systemd/system/{TRACKING}.timer"
    for drift in (
        f"systemctl stop {TRACKING}.timer",
        f"systemctl disable --quiet {TRACKING}.timer",
        f"ln -sfn /dev/null {file}; systemctl daemon-reload",
        f"echo '# drift' >> /etc/systemd/system/{TRACKING}.service; systemctl daemon-reload",
        f"rm {file}; systemctl daemon-reload",
    ):
        portal_host.run("sh", "-ec", drift)
        assert deploy.plan_and_apply(inventory=inventory)[NAME], drift
        assert property_of(f"{TRACKING}.timer", "ActiveState") == "active", drift
        assert property_of(f"{TRACKING}.timer", "UnitFileState") == "enabled", drift
        assert deploy.plan(inventory=inventory) == {}, drift


def _are_ended(portal_host: PortalHost, folder: Path) -> None:
    """A real job takes longer than a second."""
    short = variants.inventory({**JOBS, "scheduled_limit": 1}, folder)
    deploy.plan_and_apply(inventory=short)
    done = inside.run(NAME, ["systemctl", "start", NOTIFY], check=False)
    assert done.returncode != 0
    assert property_of(NOTIFY, "Result") == "timeout"
    assert "timed out" in portal_host.run("journalctl", "-u", NOTIFY, "-o", "cat")


def _are_removed(portal_host: PortalHost, folder: Path) -> None:
    """One that is switched off, and then all; and what a killed run left of one."""
    off = variants.inventory({**JOBS, "scheduled_times": {"tracking": ""}}, folder)
    assert "Scheduled | Remove jobs that are not scheduled" in deploy.plan_and_apply(inventory=off)[NAME]
    assert TRACKING not in _everything(portal_host) and NOTIFY in _everything(portal_host)
    assert deploy.plan(inventory=off) == {}
    changed = deploy.plan_and_apply()[NAME]
    assert "Scheduled | Remove jobs that are not scheduled" in changed
    assert not {TRACKING, NOTIFY} & set(re.findall(r"ckan-scheduled-[a-z-]+", _everything(portal_host)))
    assert deploy.plan() == {}
    portal_host.run("systemd-run", "--quiet", f"--unit={TRACKING}.service", "sleep", "999")
    assert deploy.plan_and_apply()[NAME] == ["Scheduled | Remove jobs that are not scheduled"]
    assert TRACKING not in _everything(portal_host)


def _everything(portal_host: PortalHost) -> str:
    """All that systemd and its folders have of scheduled jobs."""
    command = (
        "systemctl list-units --all --plain --no-legend 'ckan-scheduled-*' && "
        "find /etc/systemd /run/systemd/system /var/lib/systemd/timers -name '*ckan-scheduled-*'"
    )
    return portal_host.run("sh", "-c", command)


def test_logs_of_workers_are_rotated(running: PortalHost) -> None:
    """And the worker goes on writing into the same file."""
    running.run("ckan", "jobs", "test")
    until(lambda: "A test job" in running.run("cat", LOG), "the job is done")
    running.run("logrotate", "--force", "/etc/logrotate.d/ckan")
    assert "A test job" in running.run("cat", f"{LOG}.1")
    running.run("ckan", "jobs", "test")
    until(lambda: "A test job" in running.run("cat", LOG), "the next job is done")
    assert running.run("stat", "-c", "%b", LOG).strip() != "0"
