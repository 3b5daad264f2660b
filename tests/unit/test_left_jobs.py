"""Jobs that wait are not left behind silently when CKAN's Redis becomes another one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from deploys.checks import left_jobs
from facts.ckan_queue import Queue, QueueState
from settings.ckan import CkanSettings
from settings.resolve import resolve
from settings.store import SecretStore
from tests.unit.test_settings import SPLIT, sources

PASSWORD = "p%s3cret"
OLD, NEW = "127.0.0.1:6379/0", "192.0.2.22:6379/0"

REDIS = """
import json, os
def from_url(url, **timeouts):
    answers = json.load(open(os.environ["FOLDER"] + "/answers.json"))
    if url not in answers: raise OSError("refused")
    return Client(answers[url])
class Client:
    def __init__(self, queues): self.queues = queues
    def scan_iter(self, pattern): return [key for key in self.queues if key.startswith(pattern.rstrip("*"))]
    def llen(self, key): return self.queues[key]
"""


def test_jobs_are_counted_where_they_would_be_left(tmp_path: Path) -> None:
    (tmp_path / "env/bin").mkdir(parents=True)
    (tmp_path / "redis.py").write_text(REDIS)
    python = tmp_path / "env/bin/python"
    python.write_text(f'#!/bin/sh\nshift\nexec env PYTHONPATH={tmp_path} FOLDER={tmp_path} {sys.executable} "$@"\n')
    python.chmod(0o755)
    ini = tmp_path / "ckan.ini"

    def read(url: str, wanted: str, env: str = "env", /, **queues: int) -> QueueState:
        ini.write_text(f"[app:main]\nckan.redis.url = {url.replace('%', '%%')}\n")
        (tmp_path / "answers.json").write_text(json.dumps({url: queues} if queues else {}))
        fact: Any = Queue()
        command = fact.command(path=str(tmp_path / env), ini=str(ini), wanted=wanted).get_raw_value()
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
        assert PASSWORD not in done.stdout + done.stderr + command
        return fact.process(done.stdout.splitlines()) if done.stdout else fact.default()  # type: ignore[no-any-return]

    url = f"redis://:{PASSWORD}@127.0.0.1:6379/0"
    jobs: dict[str, Any] = {"rq:queue:ckan:default:a": 2, "rq:queue:ckan:default:b": 1, "rq:job:c": 9}
    assert read(url, NEW, **jobs) == QueueState(OLD, 3)
    assert read(url, OLD, **jobs) == QueueState(OLD, None)  # nothing is left
    assert read(url, NEW) == QueueState(OLD, None)  # it does not answer
    assert read(url, NEW, "none", **jobs) == QueueState()


class Host:
    print_prefix = "[data] "

    def __init__(self, state: QueueState) -> None:
        self.state = state

    def get_fact(self, fact: Any, **arguments: Any) -> QueueState:
        assert arguments["wanted"] == NEW
        return self.state


@pytest.mark.parametrize(
    ("state", "says", "warns"),
    [
        (QueueState(), "", ""),
        (QueueState(NEW), "", ""),
        (QueueState(OLD, 0), "", ""),
        (QueueState(OLD), "", f"{OLD}, does not answer"),
        (QueueState(OLD, 2), f"would be in the Redis at {NEW}, while 2 wait in the present one, {OLD}: let the", ""),
    ],
)
def test_what_stops(
    state: QueueState, says: str, warns: str, tmp_path: Path, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings = resolve(sources(SPLIT), SecretStore(tmp_path / "secrets", generate=True))["data"].ckan
    assert isinstance(settings, CkanSettings)
    monkeypatch.setattr(left_jobs, "host", Host(state))
    assert (says in left_jobs.left_jobs(settings)) if says else left_jobs.left_jobs(settings) == ""
    assert (warns in caplog.text) if warns else not caplog.text
