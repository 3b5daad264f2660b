"""No known secret passes the output of this process, in whatever form it stands there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from settings import masking
from tests.lab.leaks import forms  # what the lab looks for, written independently of what is masked

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
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, SECRET, form], capture_output=True, text=True, check=False, timeout=60
    )
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


@pytest.mark.parametrize("variables", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONUTF8": "0"}], ids=str)
def test_click_does_not_write_past_it(variables: dict[str, str]) -> None:
    """Where standard output is ASCII only, click makes a stream of its own, which nobody masks."""
    says = "click.echo('\\xe4 ' + sys.argv[2]); click.echo(sys.argv[2], err=True)"
    program = f"import click\n{PROGRAM.partition('print')[0]}{says}"
    environment = {**os.environ, "PYTHONCOERCECLOCALE": "0", **variables}
    done = subprocess.run(
        [sys.executable, "-c", program, SECRET, SECRET], env=environment, capture_output=True, check=True, timeout=60
    )
    assert (done.stdout + done.stderr).count(masking.MASK.encode()) == 2
    assert SECRET.encode() not in done.stdout + done.stderr


def test_a_crash_leaves_no_core() -> None:
    program = "import resource; from settings import masking; masking.install(); print(resource.getrlimit(4))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "(0, 0)\n"
