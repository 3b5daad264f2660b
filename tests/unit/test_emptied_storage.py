"""Another object storage in MinIO's folder is noticed: a disk that is not mounted, data that were removed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import OperationError
from pyinfra.api.state import StateStage

from deploys.checks import emptied_storage
from facts.minio_identity import Storage, StorageState
from operations import minio_identity
from settings.minio import MinioSettings
from settings.resolve import resolve
from settings.store import SecretStore
from tests.unit.converge import changed
from tests.unit.test_postgresql import run
from tests.unit.test_settings import ONE, sources

OURS, OTHER = "5f0c4cbe-6f43-4e0b-8a3f-3f8a0f9a9f00", "5f0c4cbe-6f43-4e0b-8a3f-3f8a0f9a9f11"


def storage(data: Path, number: str) -> None:
    """Have MinIO begin in the folder DATA."""
    (data / ".minio.sys").mkdir(parents=True, exist_ok=True)
    (data / ".minio.sys/format.json").write_text(json.dumps({"version": "1", "format": "xl-single", "id": number}))


def test_it_is_noted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note, data = tmp_path / "ours/storage", tmp_path / "my data"
    monkeypatch.setattr(minio_identity, "NOTE", str(note))

    def read() -> StorageState:
        fact: Any = Storage()
        command = fact.command(data=str(data), note=str(note)).get_raw_value()
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        return fact.process(done.stdout.splitlines())  # type: ignore[no-any-return]

    assert read() == StorageState()
    storage(data, OURS)
    assert changed(minio_identity.noted, data=str(data))
    assert not changed(minio_identity.noted, data=str(data))
    assert read() == StorageState(OURS, OURS)
    storage(data, OTHER)
    assert read() == StorageState(OURS, OTHER)
    (data / ".minio.sys/format.json").unlink()
    assert read() == StorageState(OURS, "")
    note.chmod(0o644)
    assert read() == StorageState()
    other = tmp_path / "other"
    storage(other, OTHER)
    assert changed(minio_identity.noted, data=str(other))
    assert read() == StorageState()  # it is noted with its folder: another one is asked elsewhere


def test_a_storage_must_be_there_in_execution() -> None:
    answers: dict[str, Any] = {
        "minio_identity.Storage": {f"data=/srv/minio, note={minio_identity.NOTE}": {"noted": "", "present": ""}}
    }
    assert run(minio_identity.noted, StateStage.Prepare, answers, data="/srv/minio")
    with pytest.raises(OperationError, match="MinIO has no storage in /srv/minio"):
        run(minio_identity.noted, StateStage.Execute, answers, data="/srv/minio")


class Host:
    def __init__(self, state: StorageState) -> None:
        self.state = state

    def get_fact(self, fact: Any, **_: Any) -> StorageState:
        return self.state


@pytest.mark.parametrize(
    ("state", "says"),
    [
        (StorageState(), ""),
        (StorageState("", OTHER), ""),  # deployed by an earlier ckan-deploy: the run notes it
        (StorageState(OURS, OURS), ""),
        (StorageState(OURS, ""), "where there is none: is a disk not mounted?"),
        (StorageState(OURS, OTHER), f"{OURS}, is no longer in /srv/minio, where there is another one ({OTHER})"),
    ],
)
def test_what_stops(state: StorageState, says: str, tmp_path: Path, monkeypatch: Any) -> None:
    groups = {**ONE, "object_storage": ["data"]}
    data = {"portal_flavour": "dcor"}
    settings = resolve(sources(groups, data), SecretStore(tmp_path / "secrets", generate=True))["data"].minio
    assert isinstance(settings, MinioSettings)
    monkeypatch.setattr(emptied_storage, "host", Host(state))
    assert (
        (says in emptied_storage.emptied_storage(settings)) if says else not emptied_storage.emptied_storage(settings)
    )
