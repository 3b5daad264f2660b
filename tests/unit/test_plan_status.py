"""``python -m tasks.plan INVENTORY``: 0 for nothing, 2 for changes, 1 for an error, and the plan of pyinfra."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.unit import programs
from tests.unit.spoken import HEAD, Terminal, environment, made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made(tmp_path / "checkout", "")
    (tmp_path / "checkout/tasks").symlink_to(Path(__file__).resolve().parents[2] / "tasks")
    (tmp_path / "checkout/inventory/production.py").write_text(
        "portal = [('@local', {'address': '192.0.2.20'})]\npostgresql = redis = solr = portal\n"
    )
    (tmp_path / "checkout/group_data/production.py").write_text("portal_fqdn = 'data.example.org'\n")
    return tmp_path / "checkout"


def plan(folder: Path, *arguments: str, deploy: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
    from tests import made_up

    (folder / "deploy.py").write_text(HEAD + deploy)
    env = environment(**made_up.variables(), **variables)
    return programs.run(["-m", "tasks.plan", *arguments], cwd=folder, env=env)


CHANGE = "steps.put(name='CKAN | Configure CKAN', path='/nowhere/a', text='1', says=['one'])\n"
SAME = "steps.check(name='Smoke', says='well')\n"


def test_changes(folder: Path) -> None:
    done = plan(folder, "inventory/production.py", "--limit", "portal", "--data", "nginx_timeout=9", deploy=CHANGE)
    assert done.returncode == 2, done.stderr
    assert done.stdout.splitlines() == [
        "    CKAN | Configure CKAN (@local): one",
        "Plan: 1 to change on 1 host, 0 as wanted",
    ]


def test_nothing(folder: Path) -> None:
    done = plan(folder, "inventory/production.py", deploy=SAME)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Plan: nothing to change, 1 as wanted on 1 host\n"


@pytest.mark.parametrize(
    ("arguments", "deploy", "says"),
    [
        (["inventory/prodution.py"], CHANGE, "there is no inventory inventory/prodution.py"),
        (["inventory/production.py", "--data", "nginx_timeuot=9"], CHANGE, "did you mean nginx_timeout?"),
        (["inventory/production.py", "--limit", "nobody"], CHANGE, "--limit nobody selects no host"),
        (["inventory/production.py"], "raise ValueError('no')\n", "ValueError"),
        (["inventory/production.py"], "host.get_fact(steps.Missing)\n", "Missing"),
        ([], CHANGE, "INVENTORY"),
        (["inventory/production.py", "--nothing"], CHANGE, "--nothing"),
        (["inventory/production.py", "-y"], CHANGE, "-y"),
    ],
)
def test_errors(arguments: list[str], deploy: str, says: str, folder: Path) -> None:
    done = plan(folder, *arguments, deploy=deploy)
    assert done.returncode == 1, done.stdout + done.stderr
    assert says in done.stderr


def test_a_variable_that_says_yes_makes_no_empty_plan(folder: Path) -> None:
    done = plan(folder, "inventory/production.py", deploy=CHANGE, PYINFRA_YES="1")
    assert done.returncode == 1 and "PYINFRA_YES" in done.stderr


def test_ctrl_c(folder: Path) -> None:
    from tests import made_up

    (folder / "deploy.py").write_text(f"{HEAD}print('begun')\nimport time\ntime.sleep(60)\n")
    terminal = Terminal(
        folder,
        module="tasks.plan",
        arguments=["inventory/production.py"],
        env=environment(TERM="xterm", **made_up.variables()),
    )
    terminal.until("begun")
    terminal.type("\x03")
    assert terminal.end() == 130, terminal.said
