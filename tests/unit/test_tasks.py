"""What tasks write on the operator's machine; what they do on a host is in tests/lab/portal/test_access.py."""

from __future__ import annotations

import io
import stat
import zipfile
import zlib
from pathlib import Path

import pytest
from pyinfra.api.exceptions import PyinfraError

from settings.secret import Secret
from tasks import access
from tasks.newfile import NewFile
from tasks.zip_archive import Member, archive
from tests.unit import programs
from tests.unit.checkout import ROOT

TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJqdGkiOiJhLXRva2VuIn0.c2lnbmF0dXJl"
PASSWORD = "päss word ☃ of twelve"


@pytest.mark.parametrize("content", [b"", b"x", TOKEN.encode(), bytes(range(256)) * 300], ids=len)
def test_python_reads_the_archive(content: bytes) -> None:
    made = archive({"open.txt": Member(b"for everybody", False), "closed.bin": Member(content, True)}, PASSWORD)
    with zipfile.ZipFile(io.BytesIO(made)) as found:
        assert found.namelist() == ["open.txt", "closed.bin"]
        assert found.read("open.txt") == b"for everybody"
        assert found.read("closed.bin", pwd=PASSWORD.encode()) == content
        with pytest.raises(RuntimeError, match="password required"):
            found.read("closed.bin")
        # One byte tells a wrong password: one in 256 gets past it, to a wrong checksum, which an empty file has not.
        wrong = [f"wrong {number}".encode() for number in range(40 if content else 0)]
        refused = 0
        for password in wrong:
            try:
                found.read("closed.bin", pwd=password)
            except (RuntimeError, zipfile.BadZipFile, zlib.error):
                refused += 1
        assert refused == len(wrong)


def test_no_plain_text_goes_into_the_cipher() -> None:
    """The certificate is not encrypted; the token, whose beginning everybody knows, does not stand where it would."""
    made = [access.content("certificate", Secret(TOKEN), Secret(PASSWORD)) for _ in range(2)]
    for one in made:
        assert TOKEN[:20].encode() not in one and PASSWORD.encode() not in one
        with zipfile.ZipFile(io.BytesIO(one)) as found:
            flags = {info.filename: info.flag_bits & 1 for info in found.infolist()}
            assert flags == {"server.cert": 0, "api_key.txt": 1}
            text = found.read("api_key.txt", pwd=PASSWORD.encode()).decode()
            assert text.strip() == TOKEN and len(text) == len(TOKEN) + 800
    sizes = [zipfile.ZipFile(io.BytesIO(one)).getinfo("api_key.txt").compress_size for one in made]
    assert all(size < 600 for size in sizes), "it is not compressed"


def test_a_file_is_never_overwritten_and_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "alice.dcor-access"
    with pytest.raises(PyinfraError, match="no token"), NewFile(path, 0o600):
        raise PyinfraError("no token")
    assert not path.exists()
    with NewFile(path, 0o600) as file:
        file.write(b"one")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(PyinfraError, match="is there already, and is not overwritten"), NewFile(path, 0o600):
        pass
    assert path.read_bytes() == b"one"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("access", "inventory/nowhere.py", "alice"), "there is no inventory inventory/nowhere.py; there are "),
        (("access", "inventory/dev.py", "alice", "--output", "x.zip"), "DCOR-Aid opens files whose names end with"),
        (("certificate", "inventory/nowhere.py"), "there is no inventory inventory/nowhere.py; there are "),
    ],
    ids=["no inventory", "another suffix", "no inventory for a certificate"],
)
def test_mistakes_are_one_sentence(arguments: tuple[str, ...], says: str) -> None:
    module, *rest = arguments
    done = programs.run(["-m", f"tasks.{module}", *rest], cwd=ROOT)
    assert done.returncode == 1 and done.stderr.startswith(f"error: {says}"), done.stderr
    assert done.stderr.count("\n") == 1 and done.stdout == ""
