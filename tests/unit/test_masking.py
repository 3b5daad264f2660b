"""No known secret passes the output of this process, in whatever form it stands there."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings import masking
from tests.lab.harness.leaks import forms  # what the lab looks for, written independently of what is masked
from tests.unit import programs
from tests.unit.checkout import ROOT

SECRET = """a+b %4d1/"'$HOME\\&;<~"""
PROGRAM = """
import logging, sys
from settings import masking
held = sys.stderr
logging.basicConfig(level="DEBUG")
masking.install()
masking.install()
masking.know(sys.argv[1])
print("out", sys.argv[2])
print("err", sys.argv[2], file=held)
sys.stdout.writelines(["lines ", sys.argv[2], "\\n"])
logging.error("log %s", sys.argv[2])
raise SystemExit(sys.argv[2])
"""


@pytest.fixture(autouse=True)
def _nothing_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(masking, "_known", set())


@pytest.mark.parametrize("form", sorted(forms(SECRET)))
def test_every_form_is_masked_wherever_it_comes_out(form: str) -> None:
    done = programs.run(["-c", PROGRAM, SECRET, form], cwd=ROOT)
    assert (done.stdout + done.stderr).count(masking.MASK) == 5
    assert form not in done.stdout + done.stderr
    assert done.returncode == 1


@given(
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), min_size=6, max_size=40),
    st.text(max_size=20),
    st.text(max_size=20),
)
def test_any_secret_in_any_text(secret: str, before: str, after: str) -> None:
    masking._known.clear()
    masking.know(secret)
    for form in forms(secret):
        assert form not in masking.mask(f"{before}{form}{after}").replace(masking.MASK, "\0")


def test_nothing_else_is_masked() -> None:
    assert masking.mask(SECRET) == SECRET
    masking.know("short")
    masking.know("")
    assert masking.mask("short text\n") == "short text\n"
    masking.know("the secret")
    assert masking.mask("the secret, the Secret\n") == f"{masking.MASK}, the Secret\n"


KEY = "-----BEGIN PRIVATE KEY-----\nMIIEvQ/+line1\nMIIEvQ/+line2\nQ+==\n-----END PRIVATE KEY-----"


@pytest.mark.parametrize("encode", [str, json.dumps, repr, quote, quote_plus, lambda text: text.encode().hex()])
def test_each_line_of_a_key_is_masked(encode: Callable[[str], str]) -> None:
    masking.know(KEY)
    for text in (KEY, KEY.replace("\n", "\n    "), *KEY.splitlines()):
        assert masking.mask(encode(text)).count(masking.MASK) == sum("line" in line for line in text.splitlines())
        assert not any(encode(line) in masking.mask(encode(text)) for line in KEY.splitlines()[1:3])
    assert "Q+" not in masking.mask(KEY)
    assert masking.mask("-----BEGIN PRIVATE KEY-----\n") == "-----BEGIN PRIVATE KEY-----\n"


def test_a_key_is_masked_in_base64_of_a_longer_text() -> None:
    masking.know(KEY)
    for before in ("", "x", "xy"):
        shown = masking.mask(base64.b64encode(f"{before}{KEY}".encode()).decode())
        assert shown.count(masking.MASK) == 2
        for line in KEY.splitlines()[1:3]:
            assert not any(form in shown for form in forms(line))


PIECES = """
import sys
from settings import masking
masking.install()
masking.know(sys.argv[1])
for piece in sys.argv[2:]:
    sys.stdout.write(piece)
    sys.stdout.flush()
"""


def pieces(*words: str) -> str:
    done = programs.run(["-c", PIECES, "s3cret-%w0rd", *words], cwd=ROOT)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_a_secret_in_pieces_is_masked() -> None:
    words = "a s3c", "ret-%w0rd b s3cret", "-%25w0rd", "\n", *"s3cret-%w0rds", "\n", "s3cret-%w0rds3", "cret-%w0rd"
    assert pieces(*words) == "a M b M\nMs\nMM".replace("M", masking.MASK)


def test_what_only_begins_as_a_secret_does_comes_out() -> None:
    assert pieces("Goes on? ", "s", "3", "\n", "s3cret", "-% no", "s3cret-") == "Goes on? s3\ns3cret-% nos3cret-"


@given(st.lists(st.text("s3cret-%w0rd", max_size=16), max_size=8))
def test_any_pieces(words: list[str]) -> None:
    masking._known.clear()
    masking.know("s3cret")
    written: list[str] = []
    stream = masking._Masked(lambda text: written.append(text) or 0)  # type: ignore[func-returns-value]
    for word in words:
        assert stream.write(word) == len(word)
        assert "s3cret" not in "".join(written)
    stream.finish(lambda: None)
    assert "".join(written) == masking.mask("".join(words))


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}], ids=str)
def test_click_does_not_write_past_it(variables: dict[str, str]) -> None:
    """Where standard output is ASCII only, click makes a stream of its own, which nobody masks."""
    says = "click.echo('\\xe4 ' + sys.argv[2]); click.echo(sys.argv[2], err=True)"
    program = f"import click\n{PROGRAM.partition('print')[0]}{says}"
    environment = {**os.environ, "PYTHONCOERCECLOCALE": "0", **variables}
    done = subprocess.run(
        [sys.executable, "-c", program, SECRET, SECRET], env=environment, capture_output=True, check=True, timeout=300
    )
    assert (done.stdout + done.stderr).count(masking.MASK.encode()) == 2
    assert SECRET.encode() not in done.stdout + done.stderr


def test_a_crash_leaves_no_core() -> None:
    program = "import resource; from settings import masking; masking.install(); print(resource.getrlimit(4))"
    assert programs.run(["-c", program], cwd=ROOT).stdout == "(0, 0)\n"
