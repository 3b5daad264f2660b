"""CKAN's search index against its database, with stand-ins for psycopg2, Solr and CKAN's command."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from facts import ckan_index
from operations import ckan
from tests.unit.converge import apply, changed, shim

PSYCOPG2 = """
import json, os
def connect(url, connect_timeout):
    states = json.load(open(os.environ["FOLDER"] + "/states.json"))
    if states is None: raise OSError("connection refused")
    return Connection(states)
class Connection:
    def __init__(self, states): self.states = states
    def cursor(self): return self
    def close(self): pass
    def execute(self, query, arguments=()): self.query = query
    def fetchone(self): return ("package",)
    def fetchall(self): return list(self.states.items())
"""
# What is waited for comes at the next question here, or never: the host's pauses are cut to a twentieth.
HURRY = """
import time
time.sleep = lambda seconds, sleep=time.sleep: sleep(seconds / 20)
"""


class Portal:
    """An environment with a database of dataset states, and a Solr that holds ids."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.ids = folder, set[str]()
        self.asked: list[dict[str, list[str]]] = []
        self.late: set[str] = set()  # what Solr shows from the second question on
        (folder / "env/bin").mkdir(parents=True)
        (folder / "site").mkdir()
        (folder / "site/psycopg2.py").write_text(PSYCOPG2)
        (folder / "site/sitecustomize.py").write_text(HURRY)
        (folder / "ckan.ini").write_text("[app:main]\nsqlalchemy.url = postgresql://u:p%%25@db/ckan\n")
        python = folder / "env/bin/python"
        python.write_text(
            '#!/bin/sh\n[ "$1" = -I ] && shift\n'
            f'exec env PYTHONPATH={folder}/site FOLDER={folder} {sys.executable} "$@"\n'
        )
        python.chmod(0o755)
        self.states({})
        solr = self

        class Answer(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                solr.asked.append(parse_qs(urlsplit(self.path).query))
                body = json.dumps({"response": {"docs": [{"id": i} for i in sorted(solr.ids)]}}).encode()
                solr.ids |= solr.late
                self.send_response(200)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self) -> None:
                """What CKAN's command does."""
                words = self.path.strip("/").split(",")
                if "--clear" in words:
                    solr.ids.clear()
                states = json.loads((folder / "states.json").read_text())
                solr.ids |= {i for i, state in states.items() if state != "deleted" and not i.startswith("broken")}
                self.send_response(200)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        command = folder / "env/bin/ckan"
        command.write_text(
            f'#!/bin/sh\necho "$@" >> {folder}/ran\nIFS=,; curl -sf --noproxy \'*\' -X POST "{self.url}/$*"\n'
        )
        command.chmod(0o755)

    def states(self, states: dict[str, str] | None) -> None:
        (self.folder / "states.json").write_text(json.dumps(states))

    def ran(self) -> list[str]:
        """The last word of each rebuild so far."""
        path = self.folder / "ran"
        return [line.split()[-1] for line in path.read_text().splitlines()] if path.exists() else []

    def wanted(self, **kw: Any) -> dict[str, Any]:
        arguments = {"path": f"{self.folder}/env", "ini": f"{self.folder}/ckan.ini", "url": self.url}
        return {**arguments, "site": "default", "schema": "s", "location": "db/ckan", **kw}


@pytest.fixture
def portal(tmp_path: Path, shims: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Portal]:
    monkeypatch.setattr(ckan, "_INDEX_STAMP", str(tmp_path / "stamps/index"))
    monkeypatch.setattr(ckan, "_SOLR_SECONDS", 1)
    monkeypatch.setattr(ckan_index, "_SETTLE", 1)
    shim(shims, "runuser", '[ "$1 $2 $3" = "-u www-data --" ] || exit 3; shift 3; exec "$@"')
    made = Portal(tmp_path)
    yield made
    made.server.shutdown()


def test_an_empty_portal_is_only_noted(portal: Portal) -> None:
    assert changed(ckan.search_index, **portal.wanted())
    assert portal.ran() == []


def test_another_core_schema_or_database_is_indexed_once(portal: Portal) -> None:
    portal.states({"a": "active", "b": "deleted", "c": "draft"})
    assert changed(ckan.search_index, **portal.wanted())
    for other in ({"schema": "t"}, {"location": "elsewhere/ckan"}):
        assert changed(ckan.search_index, **portal.wanted(**other))
    assert portal.ran() == ["--quiet"] * 3
    assert portal.ids == {"a", "c"}
    assert portal.asked[0]["fq"] == ['+site_id:"default" +entity_type:package']


@pytest.mark.parametrize("how", ["appended to", "writable", "a link", "emptied"])
def test_a_stamp_that_drifted_counts_for_nothing(portal: Portal, how: str) -> None:
    assert changed(ckan.search_index, **portal.wanted())
    stamp = portal.folder / "stamps/index"
    before = stamp.read_text()
    match how:
        case "appended to":
            stamp.write_text(f"{before}# drift\n")
        case "writable":
            stamp.chmod(0o646)
        case "a link":
            stamp.symlink_to(stamp.rename(stamp.with_name("kept")))
        case _:
            stamp.write_text("")
    assert changed(ckan.search_index, **portal.wanted())
    assert (stamp.read_text(), stamp.lstat().st_mode & 0o777, stamp.is_symlink()) == (before, 0o600, False)
    assert portal.ran() == []


def test_what_is_missing_is_added_and_what_is_gone_is_removed(portal: Portal) -> None:
    portal.states({"a": "active", "b": "active"})
    assert changed(ckan.search_index, **portal.wanted())
    portal.ids.remove("a")
    assert changed(ckan.search_index, **portal.wanted())
    portal.ids.add("purged long ago")
    assert changed(ckan.search_index, **portal.wanted())
    portal.states({"a": "active", "b": "deleted"})
    assert changed(ckan.search_index, **portal.wanted())
    assert portal.ran() == ["--quiet", "--only-missing", "--clear", "--clear"]
    assert portal.ids == {"a"}


def test_a_dataset_that_is_just_being_made_is_waited_for(portal: Portal) -> None:
    portal.states({"a": "active"})
    assert changed(ckan.search_index, **portal.wanted())
    portal.states({"a": "active", "new": "active"})
    portal.late = {"new"}
    assert not changed(ckan.search_index, **portal.wanted())


def test_a_dataset_that_ckan_cannot_index_is_tried_once(portal: Portal) -> None:
    portal.states({"a": "active", "broken": "active"})
    assert changed(ckan.search_index, **portal.wanted())
    assert changed(ckan.search_index, **portal.wanted(schema="another"))
    portal.ids.remove("a")
    assert changed(ckan.search_index, **portal.wanted(schema="another"))
    assert portal.ran() == ["--quiet", "--quiet", "--only-missing"]


def test_a_solr_that_is_down(portal: Portal) -> None:
    portal.states({"a": "active"})
    assert changed(ckan.search_index, **portal.wanted())
    portal.server.shutdown()
    portal.server.server_close()
    outcome = apply(ckan.search_index, **portal.wanted())
    assert not outcome.predicted  # its index is as it was
    assert outcome.failed
    assert apply(ckan.search_index, dry=True, **portal.wanted(schema="another")).predicted


def test_a_rebuild_that_fails_or_takes_too_long_is_made_up_for(portal: Portal) -> None:
    portal.states({"a": "active"})
    command = portal.folder / "env/bin/ckan"
    good = command.read_text()
    for body, said in (("echo 'no such core'; exit 1", "no such core"), ("sleep 9", "was not rebuilt in 1 seconds")):
        command.write_text(f"#!/bin/sh\n{body}\n")
        outcome = apply(ckan.search_index, **portal.wanted(seconds=1))
        assert outcome.failed
        assert said in outcome.output
    command.write_text(good)
    assert changed(ckan.search_index, **portal.wanted())
