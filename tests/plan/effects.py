"""What operations are asked to do on a bare host, with some settings and with others; offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests import made_up
from tests.plan import fake

_MAIN = Path(__file__).with_name("effects_main.py")
_VARIABLES = {"PYINFRA_FAKE_DELAY": "0", "PYINFRA_FAKE_DELAY_JITTER": "0"}
# What any portal of the tests has: its hosts, and checksums, which have no default.
_HOST: dict[str, Any] = {
    "address": "192.0.2.20",
    "solr_sha512": "0" * 128,
    "minio_sha256": "0" * 64,
    "fake_responses": {"/etc/os-release": fake.BASICS["bookworm"]},
}
Notes = frozenset[str]


@dataclass(frozen=True)
class Portal:
    """A portal on one bare host: settings, secrets, and whether it has MinIO."""

    data: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    minio: bool = False

    def but(self, **data: Any) -> Portal:
        """The same with other DATA."""
        return Portal({**self.data, **data}, self.secrets, self.minio)

    def but_secret(self, name: str, value: str) -> Portal:
        """The same with another secret."""
        return Portal(self.data, {**self.secrets, name: value}, self.minio)


def notes(portals: Iterable[Portal], folder: Path) -> list[Notes]:
    """What each of PORTALS asks of its host: one line for each operation with its arguments, and for each command."""
    jobs = []
    for number, portal in enumerate(portals):
        (folder / str(number)).mkdir()
        # Named after the environment whose group data it takes.
        inventory, noted = folder / str(number) / "lab.py", folder / str(number) / "notes"
        host = ("@fake/portal", {**_HOST, **portal.data})
        lines = [f"{group} = [{host!r}]" for group in ("portal", "postgresql", "redis", "solr")]
        inventory.write_text("\n".join([*lines, f"object_storage = {[host] if portal.minio else []!r}"]) + "\n")
        variables = {f"CKAN_DEPLOY_SECRET_{name.upper()}": value for name, value in portal.secrets.items()}
        jobs.append((str(inventory), str(noted), variables))
    (folder / "jobs.json").write_text(json.dumps(jobs))
    command = [sys.executable, str(_MAIN), str(folder / "jobs.json")]
    environment = {**os.environ, **_VARIABLES, **made_up.variables()}
    done = subprocess.run(command, env=environment, cwd=fake.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [_read(Path(noted)) for _, noted, _ in jobs]


def _read(noted: Path) -> Notes:
    assert noted.exists(), noted.with_suffix(".log").read_text()
    lines = noted.read_text().splitlines()
    assert len(lines) > 100, noted.with_suffix(".log").read_text()
    return frozenset(lines)


def changed(one: Notes, other: Notes, salted: Notes = frozenset()) -> set[str]:
    """Names of the operations that are asked for something else.

    + salted: differences between two plans of the same, which have salts
    """
    salts = {_kind(line) for line in salted}
    return {json.loads(line)[0] for line in one ^ other if _kind(line) not in salts}


def _kind(line: str) -> tuple[str, str, int]:
    note = json.loads(line)
    return note[0], note[1], len(note)
