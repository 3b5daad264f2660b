"""What docs/environments.md says: its environments can be planned as they are written, and differ as it says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.plan import fake

PAGE = (fake.ROOT / "docs/environments.md").read_text()
SHOWN = dict(re.findall(r"`((?:inventory|group_data)/\w+\.py)`:\n\n```python\n(.*?)```\n", PAGE, re.DOTALL))
# Components that one host of a DCOR portal has and another need not have, as that page says.
OF_DEVELOPMENT = "Develop | "


def test_both_environments_are_shown_whole() -> None:
    assert sorted(SHOWN) == [f"{room}/{name}.py" for room in ("group_data", "inventory") for name in NAMES]


NAMES = ("integration", "staging")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the checkout with the files that the page shows."""
    root = tmp_path / "checkout"
    ignored = shutil.ignore_patterns(".*", "__pycache__", "tests")
    shutil.copytree(fake.ROOT, root, ignore=ignored)
    for name, text in SHOWN.items():
        (root / name).write_text(text)
    return root


def _plan(root: Path, name: str, folder: Path, *options: str) -> dict[str, list[str]]:
    folder.mkdir()
    return fake.plan(fake.fake_inventory(root / "inventory" / f"{name}.py", folder), *options, root=root)


@pytest.mark.parametrize("name", NAMES)
def test_what_is_shown_can_be_deployed(name: str, checkout: Path, tmp_path: Path) -> None:
    plan = _plan(checkout, name, tmp_path / name)
    names = [operation for operations in plan.values() for operation in operations]
    assert "DCOR | Install the command dcor" in names
    assert "Object storage | Set up CKAN's access key" in names
    assert not [operation for operation in names if operation.startswith(OF_DEVELOPMENT)]
    assert len(plan) == (3 if name == "staging" else 1)


def test_development_and_integration_differ_in_the_checkouts_and_the_tools_only(checkout: Path, tmp_path: Path) -> None:
    (development,) = _plan(checkout, "dev", tmp_path / "dev").values()
    (integration,) = _plan(checkout, "integration", tmp_path / "integration").values()
    more = [operation for operation in development if operation not in integration]
    assert [operation for operation in more if not operation.startswith(OF_DEVELOPMENT)] == [
        "Base | Install tools for administrators",
        "Base | Keep the index of files new",
    ]
    assert len(more) == 2 + 2 + 8  # the tools and their timer, git, the folder, and eight packages
    assert set(integration) <= set(development)
    kept = [operation for operation in development if operation in integration]
    assert kept == integration, "not in the same order"


@pytest.mark.parametrize(("name", "robots"), [("dev", "deny"), ("integration", "deny"), ("staging", "deny")])
def test_search_engines_are_kept_from_all_but_production(name: str, robots: str, checkout: Path) -> None:
    assert f'nginx_robots = "{robots}"' in (checkout / "group_data" / f"{name}.py").read_text()
    assert "nginx_robots" not in (checkout / "group_data/production.py").read_text()
    assert "develop_enabled" not in (checkout / "group_data/production.py").read_text()
