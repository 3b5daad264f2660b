"""Twenty mistakes give twenty messages, each with its file and line, in one run: word by word.

``data/fields`` has mistakes of single settings, ``data/rules`` those of settings, hosts and groups that do not fit
together. What must be said stands beside them in ``expected.txt``; ``script/golden`` writes it anew.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.unit import golden
from tests.unit.checkout import DATA, checkout, run

INVENTORY = "inventory/mistakes.py"


@pytest.fixture(params=["fields", "rules"])
def data(request: pytest.FixtureRequest) -> Path:
    return DATA / str(request.param)


def expected(data: Path) -> list[str]:
    return (data / "expected.txt").read_text().splitlines()


def test_there_are_twenty_each_of_its_own_kind_and_place(data: Path) -> None:
    lines = expected(data)
    assert len(set(lines)) == 20
    assert all(re.match(r"(group_data|inventory)/\w+\.py:[0-9]+: \w", line) for line in lines)


def test_pyinfra_says_them_before_any_connection(data: Path, tmp_path: Path) -> None:
    done = run(checkout(tmp_path / "checkout", data), "pyinfra", INVENTORY, "deploy.py", "--dry")
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    (first,) = (number for number, line in enumerate(lines) if "the settings are not complete or not right" in line)
    assert lines[first + 1 :] == expected(data)
    output = done.stdout + done.stderr
    assert "Connecting" not in output and "Traceback" not in output
    assert "clear text" not in output.replace("must not stand in clear text", "")


def test_they_are_reported(data: Path, tmp_path: Path) -> None:
    done = run(checkout(tmp_path / "checkout", data), "settings", INVENTORY)
    assert done.returncode == 1
    assert done.stderr.startswith("\n20 wrong:\n")
    golden.agrees(data / "expected.txt", done.stderr.removeprefix("\n20 wrong:\n"))
    assert "portal_fqdn" in done.stdout and "clear text" not in done.stdout


def test_they_are_reported_for_programs(data: Path, tmp_path: Path) -> None:
    done = run(checkout(tmp_path / "checkout", data), "settings", INVENTORY, "--json")
    assert (done.returncode, done.stderr) == (1, "")
    found = json.loads(done.stdout)["problems"]
    assert [problem["text"] for problem in found] == expected(data)
    assert [f"{p['file']}:{p['line']}: {p['says']}" for p in found] == expected(data)


def test_without_mistakes_the_deploy_is_reached(tmp_path: Path) -> None:
    """The same way through, so that the messages are of the mistakes and nothing else."""
    folder = checkout(tmp_path / "checkout", DATA / "fields")
    (folder / "group_data/mistakes.py").write_text('portal_fqdn = "data.example.org"\n')
    (folder / INVENTORY).write_text(
        'portal = [("@local", {"address": "192.0.2.20"})]\npostgresql = redis = solr = portal\n'
    )
    done = run(folder, "pyinfra", INVENTORY, "deploy.py", "--dry")
    assert done.returncode == 0, done.stderr
    assert run(folder, "settings", INVENTORY).returncode == 0
