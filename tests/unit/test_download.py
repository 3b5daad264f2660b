"""Downloads and archives, from a web server on this machine."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from operations import download
from tests.unit.converge import apply, changed, mode, shim


class Web:
    """A folder behind http://127.0.0.1, and how often it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.requests: list[str] = []

        web = self

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, format: str, *args: object) -> None:
                web.requests.append(self.path)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/{name}"


@pytest.fixture
def web(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "web").mkdir()
    web = Web(tmp_path / "web")
    thread = threading.Thread(target=web.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield web
    web.server.shutdown()
    thread.join()
    web.server.server_close()


def digest(content: bytes, algorithm: str = "sha256") -> str:
    return f"{algorithm}:{hashlib.new(algorithm, content).hexdigest()}"


CONTENT = b"solr\0" * 1000


@pytest.mark.parametrize("algorithm", ["sha256", "sha512"])
def test_file(algorithm: str, web: Web, tmp_path: Path) -> None:
    (web.folder / "f").write_bytes(CONTENT)
    dest = tmp_path / "cache/sub/f"
    assert changed(download.file, url=web.url("f"), dest=str(dest), checksum=digest(CONTENT, algorithm))
    assert dest.read_bytes() == CONTENT
    assert mode(dest) == 0o644
    assert web.requests == ["/f"]  # the second run did not even ask
    assert [p.name for p in dest.parent.iterdir()] == ["f"]


@pytest.mark.parametrize("drift", ["link", "folder", "mode"])
def test_what_is_no_plain_file_is_replaced(drift: str, web: Web, tmp_path: Path) -> None:
    (web.folder / "f").write_bytes(CONTENT)
    dest = tmp_path / "f"
    if drift == "folder":
        dest.mkdir()
        (dest / "precious").touch()
    else:
        (tmp_path / "other").write_bytes(CONTENT)
        (tmp_path / "other").chmod(0o644 if drift == "link" else 0o666)
        if drift == "link":
            dest.symlink_to("other")
        else:
            (tmp_path / "other").rename(dest)
    assert changed(download.file, url=web.url("f"), dest=str(dest), checksum=digest(CONTENT))
    assert (dest.is_symlink(), dest.read_bytes(), mode(dest)) == (False, CONTENT, 0o644)
    assert drift != "folder" or [p.name for p in tmp_path.glob("f.part.aside.*/*")] == ["precious"]


def test_former_versions_are_removed(tmp_path: Path) -> None:
    for name in ("1.10.1", "1.9.0"):
        (tmp_path / f"solr-{name}.tgz").touch()
        (tmp_path / f"opt/solr-{name}").mkdir(parents=True)
        (tmp_path / f"opt/solr-{name}/.ckan-deploy").touch()
    (tmp_path / "opt/solr-mine").mkdir()
    (tmp_path / "opt/solr").symlink_to("solr-1.10.1")
    where = {"archive": str(tmp_path / "solr-1.10.1.tgz"), "dest": str(tmp_path / "opt/solr-1.10.1")}
    assert changed(download.former_absent, version="1.10.1", **where)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["opt", "solr-1.10.1.tgz"]
    assert sorted(p.name for p in (tmp_path / "opt").iterdir()) == ["solr", "solr-1.10.1", "solr-mine"]


def test_a_newer_file_replaces_the_old_one(web: Web, tmp_path: Path) -> None:
    (web.folder / "f").write_bytes(CONTENT)
    dest = tmp_path / "f"
    dest.write_bytes(b"old")
    assert changed(download.file, url=web.url("f"), dest=str(dest), checksum=digest(CONTENT))
    dest.write_bytes(CONTENT[:-1])
    assert changed(download.file, url=web.url("f"), dest=str(dest), checksum=digest(CONTENT))
    assert dest.read_bytes() == CONTENT


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_wrong_checksum_installs_nothing(old: bytes | None, web: Web, tmp_path: Path) -> None:
    (web.folder / "f").write_bytes(b"forged")
    dest = tmp_path / "cache/f"
    dest.parent.mkdir()
    if old is not None:
        dest.write_bytes(old)
    outcome = apply(download.file, url=web.url("f"), dest=str(dest), checksum=digest(CONTENT))
    assert outcome.predicted
    assert outcome.failed
    wanted, found = digest(CONTENT).split(":")[1], digest(b"forged").split(":")[1]
    assert f"{web.url('f')} has the sha256 {found}, not the wanted {wanted}; nothing was installed" in outcome.output
    assert [(p.name, p.read_bytes()) for p in dest.parent.iterdir()] == ([] if old is None else [("f", old)])


def test_a_wrong_checksum_says_what_to_do(web: Web, tmp_path: Path) -> None:
    (web.folder / "f").write_bytes(b"newer")
    outcome = apply(download.file, url=web.url("f"), dest=str(tmp_path / "f"), checksum=digest(CONTENT), hint="look")
    assert outcome.failed
    assert "; nothing was installed: look" in outcome.output


def test_a_missing_file_is_said_and_leaves_the_old_one(web: Web, tmp_path: Path) -> None:
    dest = tmp_path / "cache/f"
    dest.parent.mkdir()
    dest.write_bytes(b"old")
    outcome = apply(download.file, url=web.url("nothing"), dest=str(dest), checksum=digest(CONTENT))
    assert outcome.failed
    assert f"could not download {web.url('nothing')}" in outcome.output
    assert "404" in outcome.output
    assert [(p.name, p.read_bytes()) for p in dest.parent.iterdir()] == [("f", b"old")]


def test_the_rest_of_an_interrupted_download_does_no_harm(web: Web, tmp_path: Path) -> None:
    (web.folder / "f").write_bytes(CONTENT)
    dest, rest = tmp_path / "cache/f", tmp_path / "cache/f.part"
    dest.parent.mkdir()
    rest.write_bytes(CONTENT[:100])
    assert changed(download.file, url=web.url("f"), dest=str(dest), checksum=digest(CONTENT))
    assert dest.read_bytes() == CONTENT
    assert not rest.exists()


def test_a_download_that_is_killed_installs_nothing(web: Web, tmp_path: Path, shims: Path) -> None:
    (web.folder / "f").write_bytes(CONTENT)
    dest = tmp_path / "cache/f"
    shim(shims, "sha256sum", 'kill -9 "$PPID"; kill -9 $$')
    assert not dest.exists()
    outcome = apply(download.file, url=web.url("f"), dest=str(dest), checksum=digest(CONTENT))
    (shims / "sha256sum").unlink()
    assert outcome.failed
    assert not dest.exists()
    assert changed(download.file, url=web.url("f"), dest=str(dest), checksum=digest(CONTENT))
    assert [p.name for p in dest.parent.iterdir()] == ["f"]


def archive(path: Path, files: dict[str, bytes], top: str = "solr-9.10.1") -> str:
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"{top}/{name}")
            info.size, info.mode, info.uid = len(content), 0o755 if name.startswith("bin/") else 0o644, 1234
            tar.addfile(info, io.BytesIO(content))
    return digest(path.read_bytes(), "sha512")


def test_unpacked(tmp_path: Path) -> None:
    checksum = archive(tmp_path / "a.tgz", {"bin/solr": b"#!", "server/x": b"1"})
    dest = tmp_path / "opt/solr"
    assert changed(download.unpacked, archive=str(tmp_path / "a.tgz"), dest=str(dest), checksum=checksum)
    assert (dest / "server/x").read_bytes() == b"1"
    assert mode(dest / "bin/solr") == 0o755
    assert mode(dest) == 0o755
    assert (dest / "bin/solr").stat().st_uid == tmp_path.stat().st_uid
    assert [p.name for p in dest.parent.iterdir()] == ["solr"]


def test_another_archive_replaces_the_folder_whole(tmp_path: Path) -> None:
    dest = tmp_path / "opt/solr"
    for name, files in (("a", {"old": b"", "both": b"1"}), ("b", {"new": b"", "both": b"2"})):
        checksum = archive(tmp_path / f"{name}.tgz", files)
        assert changed(download.unpacked, archive=str(tmp_path / f"{name}.tgz"), dest=str(dest), checksum=checksum)
    assert sorted(p.name for p in dest.iterdir()) == [".ckan-deploy", "both", "new"]
    assert [p.name for p in dest.parent.iterdir()] == ["solr"]


def test_a_folder_that_came_out_of_no_archive_is_moved_aside(tmp_path: Path) -> None:
    checksum = archive(tmp_path / "a.tgz", {"both": b"1"})
    (tmp_path / "solr").mkdir()
    (tmp_path / "solr/precious").touch()
    assert changed(download.unpacked, archive=str(tmp_path / "a.tgz"), dest=str(tmp_path / "solr"), checksum=checksum)
    assert [p.name for p in tmp_path.glob("solr.aside.*/*")] == ["precious"]


@pytest.mark.parametrize("rest", ["new", "old", "both", "only old"])
def test_the_rest_of_a_killed_run_is_removed(rest: str, tmp_path: Path) -> None:
    checksum = archive(tmp_path / "a.tgz", {"x": b"1"})
    dest = tmp_path / "opt/solr"
    if rest != "only old":
        changed(download.unpacked, archive=str(tmp_path / "a.tgz"), dest=str(dest), checksum=checksum)
    for end in ("new", "old") if rest == "both" else (rest.split()[-1],):
        (tmp_path / f"opt/solr.{end}").mkdir(parents=True)
        (tmp_path / f"opt/solr.{end}/half").write_text("x")
    assert changed(download.unpacked, archive=str(tmp_path / "a.tgz"), dest=str(dest), checksum=checksum)
    assert sorted(p.name for p in dest.iterdir()) == [".ckan-deploy", "x"]
    assert [p.name for p in dest.parent.iterdir()] == ["solr"]


def test_a_broken_archive_leaves_the_old_folder(tmp_path: Path) -> None:
    checksum = archive(tmp_path / "a.tgz", {"x": b"1"})
    dest = tmp_path / "opt/solr"
    changed(download.unpacked, archive=str(tmp_path / "a.tgz"), dest=str(dest), checksum=checksum)
    (tmp_path / "b.tgz").write_bytes((tmp_path / "a.tgz").read_bytes()[:-20])
    broken = digest((tmp_path / "b.tgz").read_bytes())
    assert apply(download.unpacked, archive=str(tmp_path / "b.tgz"), dest=str(dest), checksum=broken).failed
    assert (dest / "x").read_bytes() == b"1"
    assert [p.name for p in dest.parent.iterdir()] == ["solr"]  # it may have filled the disk
    assert not apply(download.unpacked, archive=str(tmp_path / "a.tgz"), dest=str(dest), checksum=checksum).changed


def test_a_killed_unpacking_leaves_the_old_folder(tmp_path: Path, shims: Path) -> None:
    old, new = (archive(tmp_path / f"{n}.tgz", {"x": n.encode()}) for n in ("a", "b"))
    dest = tmp_path / "opt/solr"
    changed(download.unpacked, archive=str(tmp_path / "a.tgz"), dest=str(dest), checksum=old)
    shim(shims, "tar", '"$REAL" "$@"; kill -9 $PPID')
    assert apply(download.unpacked, archive=str(tmp_path / "b.tgz"), dest=str(dest), checksum=new).failed
    (shims / "tar").unlink()
    assert (dest / "x").read_bytes() == b"a"
    assert changed(download.unpacked, archive=str(tmp_path / "b.tgz"), dest=str(dest), checksum=new)
    assert (dest / "x").read_bytes() == b"b"


def test_a_full_disk_is_told_and_left_as_it_was(tmp_path: Path, web: Web, small_disk: Path) -> None:
    content = bytes(5_000_000)
    (web.folder / "large").write_bytes(content)
    dest = small_disk / "large"
    dest.write_bytes(b"former")
    outcome = apply(download.file, url=web.url("large"), dest=str(dest), checksum=digest(content))
    assert outcome.failed
    assert f"the disk of {small_disk} is full, 0 MB are left: make room and run again" in outcome.output
    checksum = archive(tmp_path / "a.tgz", {"x": content})
    unpacked = small_disk / "solr"
    outcome = apply(download.unpacked, archive=str(tmp_path / "a.tgz"), dest=str(unpacked), checksum=checksum)
    assert outcome.failed
    assert f"the disk of {small_disk} is full" in outcome.output
    assert [(path.name, path.read_bytes()) for path in small_disk.iterdir()] == [("large", b"former")]
