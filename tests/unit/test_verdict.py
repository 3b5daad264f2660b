"""What the plain ``pyinfra INVENTORY deploy.py`` prints: what changes, how far it is, and a verdict."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lab.harness import faults
from tests.unit.spoken import Terminal, environment, made, pyinfra, screen

SAID = "https://portal.test answers, CKAN 2.11.6"
# Two that change, one that is as wanted, and the check of the end.
WORK = """
steps.put(name="CKAN | Install CKAN", path={folder!r} + "/a", text="1", says=["ckan 2.11.6 → 2.11.5 and 3 packages"],
    restarts=["CKAN"])
steps.put(name="CKAN | Configure CKAN", path={folder!r} + "/b", text="1", says=["Will modify /b", "-old", "+new"])
for number in range(20):
    steps.put(name=f"Base | Keep {{number}}", path={folder!r} + "/same", text="same")
steps.check(name="Smoke | Check", says="https://portal.test answers, CKAN 2.11.6")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "same").write_text("same")
    return made(tmp_path / "checkout", WORK.format(folder=str(tmp_path)))


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]


def timeless(text: str) -> str:
    return re.sub(r"\d+(\.\d)? s\b", "N s", text)


PLAN = [
    "    CKAN | Install CKAN (@local): ckan 2.11.6 → 2.11.5 and 3 packages",
    "    CKAN | Configure CKAN (@local)",
    "        Will modify /b",
    "        -old",
    "        +new",
    "Plan: 2 to change on 1 host, 21 as wanted; restarts CKAN",
]
RUN = [
    "    CKAN | Install CKAN (@local N s): ckan 2.11.6 → 2.11.5 and 3 packages",
    "    CKAN | Configure CKAN (@local N s)",
    "        Will modify /b",
    "        -old",
    "        +new",
    f"@local: 2 of 23 operations changed in N s; {SAID}",
]


def test_a_plan_shows_what_changes_and_how_much(folder: Path) -> None:
    done = pyinfra(folder, "--dry")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == PLAN
    assert "may not include" not in done.stderr and len(lines(done)) <= len(PLAN) + 1


def test_a_run_shows_what_has_changed_and_a_converged_one_says_so(folder: Path) -> None:
    done = pyinfra(folder, "-y")
    assert done.returncode == 0, done.stderr
    assert timeless(done.stdout).splitlines() == RUN
    for options, last in (
        (["-y"], f"@local: 0 of 23 operations changed in N s; {SAID}"),
        (["--dry"], "Plan: nothing to change, 23 as wanted on 1 host"),
        ([], "Plan: nothing to change, 23 as wanted on 1 host"),
    ):
        done = pyinfra(folder, *options)
        assert done.returncode == 0, done.stderr
        assert timeless(done.stdout).splitlines() == [last]
        assert len(lines(done)) < 12 and "Enter" not in done.stderr


def test_several_hosts_are_in_one_line(tmp_path: Path) -> None:
    work = (
        "steps.put(name='Base | Install tools', path='/nowhere/a', text='1')\n"
        "if host.name == '@fake/cache':\n"
        "    steps.put(name='Redis | Configure', path='/nowhere/b', text='1', says=['one'])\n"
    )
    folder = made(tmp_path / "checkout", work)
    planned = pyinfra(folder, "--dry", hosts="@fake/data,@fake/cache")
    assert planned.stdout.splitlines() == [
        "    Base | Install tools (@fake/cache, @fake/data)",
        "    Redis | Configure (@fake/cache): one",
        "Plan: 3 to change on 2 hosts, 0 as wanted",
    ]
    for options in ((), ("--serial",), ("--no-wait",)):
        done = pyinfra(folder, "-y", *options, hosts="@fake/data,@fake/cache")
        assert done.returncode == 0, done.stderr
        said = timeless(done.stdout).splitlines()
        assert said[-2:] == [
            "@fake/cache: 2 of 2 operations changed in N s",
            "@fake/data: 1 of 1 operations changed in N s",
        ]
        assert sum("Install tools" in line for line in said) == (2 if options else 1)
        assert all("N s" in line for line in said)
        assert sum("@fake/data N s" in line for line in said) == 1


@pytest.mark.parametrize("level", ["-v", "-vv", "-vvv", "--debug"])
def test_those_who_ask_see_what_pyinfra_says(level: str, folder: Path) -> None:
    done = pyinfra(folder, "--dry", level)
    assert "Detected changes:" in done.stderr and "Ready: work.py" in done.stderr
    done = pyinfra(folder, "-y", level)
    assert done.returncode == 0 and "Starting operation: CKAN | Install CKAN" in done.stderr
    assert re.search(r"\[@local\]\s+Success", done.stderr) and "Grand total" in done.stderr


def test_the_lab_reads_what_pyinfra_says(folder: Path) -> None:
    """As ``Watched`` does: each operation that began, and how it ended."""
    said = [faults._STYLE.sub("", line) for line in pyinfra(folder, "-y", "-v").stderr.splitlines()]
    began = [found[1] for line in said if (found := faults._OPERATION.search(line))]
    assert began[:3] == ["CKAN | Install CKAN", "CKAN | Configure CKAN", "Base | Keep 0"] and len(began) == 23
    ended = [found[1] for line in said if (found := faults._RESULT.search(line.replace("@local", "portal")))]
    assert ended[:3] == ["Success", "Success", "No changes"] and len(ended) == 23


def test_json_is_as_it_was(folder: Path) -> None:
    planned = json.loads(pyinfra(folder, "--dry", "--json").stdout)
    assert [one["name"] for one in planned["plan"] if one["hosts_with_change"]] == [
        "CKAN | Install CKAN",
        "CKAN | Configure CKAN",
    ]
    done = json.loads(pyinfra(folder, "-y", "--json").stdout)
    assert done["results"]["totals"] == {"hosts": 23, "success": 2, "error": 0, "no_change": 21}


def test_other_commands_are_as_they_were(folder: Path) -> None:
    (folder / "inventory/production.py").write_text('portal = ["@local"]\n')
    done = pyinfra(folder, "--dry", "--yes")
    assert (done.returncode, done.stdout) == (
        1,
        "",
    ) and "--> error: --dry shows what would change, -y changes it" in done.stderr
    assert pyinfra(folder, "--dry", "--json", PYINFRA_YES="1").returncode == 1


FAILS = """
steps.put(name="CKAN | Install CKAN", path={folder!r} + "/a", text="1")
steps.fail(name="CKAN | Configure CKAN", says="the disk is full, see /var/log/ckan/ckan-uwsgi.log")
steps.put(name="CKAN | Later", path={folder!r} + "/b", text="1")
"""


def test_a_failure_is_said_again_at_the_end(tmp_path: Path) -> None:
    folder = made(tmp_path / "checkout", FAILS.format(folder=str(tmp_path)))
    done = pyinfra(folder, "-y", "--data", "word=two words", "--ssh-password", "hidden")
    assert done.returncode == 1
    assert timeless(done.stdout).splitlines() == [
        "    CKAN | Install CKAN (@local N s)",
        "@local: 1 of 3 operations changed in N s",
    ]
    said = timeless(done.stderr).splitlines()
    begin = said.index("failed: CKAN | Configure CKAN (@local, N s)")
    assert said[begin + 1 :] == [
        "    reason: the disk is full, see /var/log/ckan/ckan-uwsgi.log",
        "    log:    sudo tail -n 50 /var/log/ckan/ckan-uwsgi.log",
        said[-1],
    ]
    assert re.fullmatch(
        r"    next:   \S*pyinfra @local work\.py --data 'word=two words' -y  once that is mended; it goes on where .*",
        said[-1],
    )
    assert "hidden" not in done.stdout + done.stderr and "No hosts remaining" not in done.stderr
    assert "    CKAN | Configure CKAN (@local) fails:" in said[:begin]
    assert not (tmp_path / "b").exists()


def test_a_sentence_that_is_raised_is_the_reason(tmp_path: Path) -> None:
    folder = made(
        tmp_path / "checkout", 'steps.refuse(name="Ask", says="Solr does not answer; see `journalctl -u solr` there")'
    )
    done = pyinfra(folder, "-y")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    said = done.stderr.splitlines()
    assert said[-3].strip() == "reason: Solr does not answer; see `journalctl -u solr` there"
    assert said[-2].strip() == "log:    sudo journalctl -n 50 -u solr"


def test_a_folder_of_logs_is_not_for_tail(tmp_path: Path) -> None:
    folder = made(
        tmp_path / "checkout", 'steps.refuse(name="Ask", says="it does not answer (see /var/log/postgresql)")'
    )
    assert "log:    sudo journalctl -n 50\n" in pyinfra(folder, "-y").stderr


def test_one_of_two_hosts_fails(tmp_path: Path) -> None:
    work = FAILS.format(folder="/nowhere")
    folder = made(tmp_path / "checkout", work)
    (folder / "inventory/production.py").write_text(
        "portal = [('@fake/data', {'ssh_hostname': 'data.example.org', 'ssh_user': 'deploy',"
        " 'fake_responses': {'the disk': {'success': False, 'stderr': 'E: no room'}}})]\n"
        "redis = ['@fake/cache']\n"
    )
    done = pyinfra(folder, "-y", hosts="inventory/production.py")
    assert done.returncode == 1
    said = timeless(done.stderr).splitlines()
    begin = said.index("failed: CKAN | Configure CKAN (@fake/data, N s)")
    assert said[begin + 1 : begin + 3] == [
        "    reason: E: no room",
        "    log:    sudo journalctl -n 50",
    ]
    assert "    CKAN | Configure CKAN (@fake/cache N s)" in timeless(done.stdout).splitlines()


def test_a_plan_that_cannot_be_made(tmp_path: Path) -> None:
    work = "from facts.host import Basics\nhost.get_fact(Basics)\n"
    folder = made(tmp_path / "checkout", work)
    (folder / "inventory/production.py").write_text(
        "portal = [('@fake/data', {'fake_responses': {'os-release': {'success': False, 'stderr': 'no such file'}}})]\n"
    )
    for options in (["--dry"], ["-y"]):
        done = pyinfra(folder, *options, hosts="inventory/production.py")
        assert done.returncode == 1
        assert "nothing was changed (@fake/data)" in done.stderr
        assert re.search(r"reason: no such file\n\s+could not load fact: facts.host.Basics", done.stderr), done.stderr
        assert "No hosts remaining" not in done.stderr


def test_a_warning_is_said_once(folder: Path) -> None:
    with (folder / "work.py").open("a") as file:
        file.write("from pyinfra import logger\nlogger.warning('the certificate expires soon')\n" * 2)
    done = pyinfra(folder, "-y")
    assert done.stderr.count("the certificate expires soon") == 1


@pytest.mark.parametrize(
    "variables",
    [{"PYTHONIOENCODING": "ascii"}, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}],
    ids=str,
)
def test_a_terminal_without_unicode(variables: dict[str, str], folder: Path) -> None:
    done = pyinfra(folder, "--dry", **{"PYTHONCOERCECLOCALE": "0", **variables})
    assert done.returncode == 0, done.stderr
    assert "ckan 2.11.6 -> 2.11.5 and 3 packages" in done.stdout


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_character_of_a_host_can_be_shown(encoding: str, folder: Path) -> None:
    with (folder / "work.py").open("a") as file:
        file.write("steps.put(name='Tell', path='/nowhere/x', text='x', says=['+\\u4e2d \\udc80', '-'])\n")
    done = subprocess.run(
        [sys.executable, "-m", "pyinfra", "@local", "work.py", "--dry"], cwd=folder, capture_output=True, check=False,
        env=environment(PYTHONIOENCODING=encoding), stdin=subprocess.DEVNULL, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    shown = b"\\u4e2d" if encoding == "latin-1" else "\u4e2d".encode()
    assert b"+" + shown + b" \\udc80" in done.stdout


def test_a_secret_in_what_an_operation_says_is_masked(folder: Path) -> None:
    with (folder / "work.py").open("a") as file:
        file.write("from settings import masking\nmasking.know('s3cret-value')\n")
        file.write("steps.put(name='Tell', path='x', text='x', says=['it is s3cret-value'])\n")
        file.write("steps.fail(name='Fail', says='because of s3cret-value')\n")
    for options in (["--dry"], ["-y"]):
        done = pyinfra(folder, *options, hosts="@local")
        assert "s3cret-value" not in done.stdout + done.stderr and "MASKED" in done.stdout + done.stderr


def test_a_person_is_asked_and_then_it_is_done(folder: Path, tmp_path: Path) -> None:
    terminal = Terminal(folder)
    terminal.until("leave everything as it is: ")
    assert not (tmp_path / "a").exists()
    terminal.type("\n")
    assert terminal.end() == 0, terminal.said
    shown = [line for line in map(timeless, screen(terminal.said)) if line]
    start = next(number for number, line in enumerate(shown) if line.startswith("    CKAN"))
    assert shown[start : start + len(PLAN)] == PLAN
    # The difference stands in the plan already.
    assert shown[start + len(PLAN) + 1 :] == [
        "    CKAN | Install CKAN (@local N s)",
        "    CKAN | Configure CKAN (@local N s)",
        f"@local: 2 of 23 operations changed in N s; {SAID}",
    ]
    assert (tmp_path / "a").read_text() == "1"
    terminal = Terminal(folder)
    assert terminal.end() == 0
    assert "Enter" not in terminal.said and "Plan: nothing to change" in terminal.said


def test_a_person_declines(folder: Path, tmp_path: Path) -> None:
    terminal = Terminal(folder)
    terminal.until("leave everything as it is: ")
    terminal.type("no\n")
    assert terminal.end() == 0 and "nothing was changed" in terminal.said
    terminal = Terminal(folder)
    terminal.until("leave everything as it is: ")
    terminal.type("\x03")
    assert terminal.end() == 130, terminal.said
    assert not (tmp_path / "a").exists() and "Traceback" not in terminal.said


SLOW = """
steps.put(name="CKAN | Install CKAN", path={folder!r} + "/a", text="1")
steps.put(name="CKAN | Configure CKAN", path={folder!r} + "/b", text="1", seconds={seconds})
"""


def test_a_terminal_shows_how_far_it_is(tmp_path: Path) -> None:
    folder = made(tmp_path / "checkout", SLOW.format(folder=str(tmp_path), seconds=2.5))
    terminal = Terminal(folder, "-y")
    terminal.until("2 of 2, 0:01  CKAN | Configure CKAN")
    assert terminal.end() == 0
    assert not any("2 of 2," in line for line in screen(terminal.said)), screen(terminal.said)
    done = pyinfra(folder, "-y")
    assert "of 2," not in done.stderr
    (tmp_path / "b").unlink()
    terminal = Terminal(folder, "-y", env=environment(TERM="xterm", PYINFRA_PROGRESS="off"))
    assert terminal.end() == 0
    assert "of 2," not in terminal.said


@pytest.mark.parametrize("options", [(), ("-v",), ("--json",)])
@pytest.mark.parametrize("typed", [True, False])
def test_ctrl_c_in_the_middle_is_no_success(typed: bool, options: tuple[str, ...], tmp_path: Path) -> None:
    """At once, also when what is under way goes on: only the terminal interrupts the programs that pyinfra starts."""
    folder = made(tmp_path / "checkout", SLOW.format(folder=str(tmp_path), seconds=30))
    terminal = Terminal(folder, "-y", *options)
    while not (tmp_path / "a").exists():
        assert terminal.child.poll() is None, terminal.end()
    time.sleep(1)
    began = time.monotonic()
    if typed:
        terminal.type("\x03")
    else:
        terminal.child.send_signal(signal.SIGINT)
    assert terminal.end() == 130, terminal.said
    assert time.monotonic() - began < 15
    assert "Traceback" not in terminal.said and not (tmp_path / "b").exists()
    if not options:
        shown = "\n".join(map(timeless, screen(terminal.said)))
        assert "@local: 1 of 2 operations changed in N s" in shown
        assert "interrupted: CKAN | Configure CKAN (@local, N s)" in shown
        assert re.search(r"next:   \S*pyinfra @local work\.py -y  makes up for it", shown)


def test_ctrl_c_while_hosts_are_looked_at(tmp_path: Path) -> None:
    folder = made(tmp_path / "checkout", "print('begun')\nimport time\ntime.sleep(30)\n")
    for _ in range(4):  # it is chance where it hits
        terminal = Terminal(folder, "--dry")
        terminal.until("begun")
        began = time.monotonic()
        terminal.type("\x03")
        assert terminal.end() == 130, terminal.said
        assert time.monotonic() - began < 15 and "Traceback" not in terminal.said
