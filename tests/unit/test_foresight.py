"""What operations note for those that follow them, and that notes count while preparing only."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import StringCommand, operation
from pyinfra.api.deploy import deploy
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state
from pyinfra_testing.util import FakeState, create_host

from operations import files, foresight
from tests.unit.converge import apply, settle


@pytest.fixture
def fake_host() -> Iterator[None]:
    state = FakeState()
    with ctx_state.use(state), ctx_host.use(create_host(state, name="portal")):
        yield


@pytest.mark.usefixtures("fake_host")
@pytest.mark.parametrize(
    ("noted", "asked", "answer"),
    [
        ("/etc/nginx", "/etc/nginx", True),
        ("/etc/nginx/a/b", "/etc/nginx", True),
        ("/etc/nginx/", "/etc/nginx", True),
        ("/etc/nginx", "/etc/nginx/", True),
        ("/etc/nginx", "/etc/nginx/a", False),  # "below" goes one way: what is noted is below what is asked
        ("/etc/nginx-extras", "/etc/nginx", False),
        ("/etc", "/", True),
        ("/etc/nginx", "/var", False),
    ],
)
def test_touched(noted: str, asked: str, answer: bool) -> None:
    foresight.will_touch(noted)
    assert foresight.touched(asked) is answer
    assert foresight.touched("/nowhere", asked) is answer
    assert not foresight.touched()


@pytest.mark.usefixtures("fake_host")
def test_replaced() -> None:
    foresight.will_touch("/e/lib/file")
    assert foresight.touched("/e") and not foresight.replaced("/e")
    foresight.will_touch("/e/")
    assert foresight.replaced("/e")


@pytest.mark.usefixtures("fake_host")
def test_files_of_an_account_to_be_made() -> None:
    assert foresight.owner("UNKNOWN", "solr") == "UNKNOWN"
    foresight.will_make("solr")
    assert foresight.owner("UNKNOWN", "solr") == "solr"
    assert foresight.owner("UNKNOWN", "redis") == "UNKNOWN"
    assert foresight.owner("root", "solr") == "root"


@pytest.mark.usefixtures("fake_host")
def test_kinds_do_not_mix() -> None:
    foresight.will_touch("/x")
    foresight.will_install("nginx", "curl")
    foresight.will_start("redis.service")
    assert foresight.installed("curl")
    assert foresight.installed("other", "nginx")
    assert not foresight.installed("redis.service")
    assert not foresight.installed()
    assert foresight.started("redis.service")
    assert not foresight.started("nginx")
    assert not foresight.touched("nginx")


@pytest.mark.usefixtures("fake_host")
def test_notes_do_not_count_in_execution(monkeypatch: pytest.MonkeyPatch) -> None:
    foresight.will_touch("/x")
    foresight.will_install("nginx")
    foresight.will_start("nginx.service")
    monkeypatch.setattr(FakeState, "current_stage", StateStage.Execute)
    assert not foresight.preparing()
    assert not foresight.touched("/x")
    assert not foresight.installed("nginx")
    assert not foresight.started("nginx.service")
    foresight.will_touch("/y")
    monkeypatch.setattr(FakeState, "current_stage", StateStage.Prepare)
    assert not foresight.touched("/y")


@pytest.mark.usefixtures("fake_host")
def test_each_host_has_its_own_notes() -> None:
    foresight.will_touch("/x")
    with ctx_host.use(create_host(FakeState(), name="other")):
        assert not foresight.touched("/x")
    assert foresight.touched("/x")


@operation()
def _copy(source: str, dest: str) -> Generator[StringCommand, None, None]:
    """Follow SOURCE: what a service does, without a service."""
    same = Path(dest).exists() and Path(source).exists() and Path(dest).read_text() == Path(source).read_text()
    if same and not foresight.touched(source):
        return
    foresight.will_touch(dest)
    yield StringCommand("cp", source, dest)


@deploy("Chain")
def _chain(folder: str, text: str, owner: str, group: str) -> None:
    files.install(name="Write", dest=f"{folder}/a", text=text, owner=owner, group=group)
    _copy(name="Copy", source=f"{folder}/a", dest=f"{folder}/b")
    _copy(name="Copy the copy", source=f"{folder}/b", dest=f"{folder}/c")
    _copy(name="Copy something else", source=f"{folder}/d", dest=f"{folder}/e")


def test_a_plan_is_exact_along_a_chain(tmp_path: Path, owner: dict[str, Any]) -> None:
    (tmp_path / "d").write_text("d")
    every = [f"Chain | {name}" for name in ("Write", "Copy", "Copy the copy", "Copy something else")]
    first = settle(_chain, deploy=True, folder=str(tmp_path), text="1\n", **owner)
    assert first.changed == every
    changed = settle(_chain, deploy=True, folder=str(tmp_path), text="2\n", **owner)
    assert changed.changed == every[:3]
    (tmp_path / "c").unlink()
    assert apply(_chain, deploy=True, folder=str(tmp_path), text="2\n", dry=True, **owner).predicted == every[2:3]
    assert settle(_chain, deploy=True, folder=str(tmp_path), text="2\n", **owner).changed == every[2:3]


@pytest.mark.usefixtures("fake_host")
def test_what_a_start_sees() -> None:
    """It sees what was touched before it, and not what is touched after it."""
    assert not foresight.started_since_touched("supervisor.service", "/etc/a.conf")
    foresight.will_touch("/etc/a.conf", "/etc/b.conf")
    assert not foresight.started_since_touched("supervisor.service", "/etc/a.conf")
    foresight.will_start("supervisor.service")
    assert foresight.started_since_touched("supervisor.service", "/etc/a.conf", "/etc/b.conf", "/nowhere")
    foresight.will_touch("/etc/b.conf")
    assert foresight.started_since_touched("supervisor.service", "/etc/a.conf")
    assert not foresight.started_since_touched("supervisor.service", "/etc/a.conf", "/etc/b.conf")
    assert not foresight.started_since_touched("supervisor.service", "/etc")
    foresight.will_start("supervisor.service")
    assert foresight.started_since_touched("supervisor.service", "/etc")
