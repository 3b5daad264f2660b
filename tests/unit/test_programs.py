"""Programs that tests start by the fork server: they are like executed ones, and do not know of each other."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import made_up
from tests.unit import forkserver, programs
from tests.unit.checkout import ROOT
from tests.unit.keys import converse

SECRETS = {**os.environ, **made_up.variables()}


def code(text: str, *arguments: str, cwd: Path = ROOT, **rest: str) -> tuple[int, str, str]:
    done = programs.run(["-c", text, *arguments], cwd=cwd, env={**os.environ, **rest})
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize(
    ("text", "status", "err"),
    [
        ("pass", 0, ""),
        ("raise SystemExit(7)", 7, ""),
        ("import sys; sys.exit('enough')", 1, "enough\n"),
        ("import os; os._exit(9)", 9, ""),
        ("import os; os.kill(os.getpid(), 9)", -9, ""),
        ("import os; os.abort()", -6, ""),
        ("import atexit; atexit.register(print, 'last', file=__import__('sys').stderr)", 0, "last\n"),
    ],
)
def test_the_end_is_told_as_it_was(text: str, status: int, err: str) -> None:
    assert code(text) == (status, "", err)
    executed = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True)
    assert (executed.returncode, executed.stdout, executed.stderr) == (status, "", err)


def test_signals_do_what_they_do_to_a_program(tmp_path: Path) -> None:
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT):
        reading, writing = os.pipe()
        with (tmp_path / "errors").open("w+") as errors:
            child = programs.start(
                ["-c", "import time; print('there', flush=True); time.sleep(60)"], cwd=tmp_path, env=os.environ,
                stdin=errors.fileno(), stdout=writing, stderr=errors.fileno(),
            )  # fmt: skip
            os.close(writing)
            assert os.read(reading, 99) == b"there\n"
            assert child.poll() is None
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(0.01)
            child.send_signal(number)
            assert child.wait() == -number == child.poll()
            child.send_signal(number)  # to nobody
            os.close(reading)
            errors.seek(0)
            assert ("KeyboardInterrupt" in errors.read()) == (number == signal.SIGINT)


def test_a_traceback_is_the_child_s() -> None:
    status, out, err = code("def f():\n    raise KeyError('lost')\nf()")
    assert (status, out) == (1, "")
    assert err.startswith("Traceback") and err.endswith("KeyError: 'lost'\n")


def test_standard_input_ends() -> None:
    text = "import sys; print(repr(sys.stdin.read()), sys.stdin.isatty())"
    assert code(text) == (0, "'' False\n", "")
    long = "ä\n" * 100_000
    assert programs.run(["-c", text], cwd=ROOT, text=long).stdout == f"{long!r} False\n"
    assert programs.run(["-c", "print(input())"], cwd=ROOT, text="x\ny\n").stdout == "x\n"
    assert programs.run(["-c", "pass"], cwd=ROOT, text="nobody reads it\n" * 100_000).returncode == 0


def test_much_is_printed_on_both() -> None:
    status, out, err = code("import sys\nfor _ in range(50000): print('out'); print('error', file=sys.stderr)")
    assert (status, out, err) == (0, "out\n" * 50_000, "error\n" * 50_000)


def test_what_a_program_is_given_is_what_it_has(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(
        "import json, os, sys\nprint(json.dumps([sys.argv, sys.orig_argv[1:], os.getcwd(), dict(os.environ), sys.path, "
        "__name__, sys.modules['__main__'].__file__, [n for n in sys.modules if n.partition('.')[0] in "
        "('tests', 'settings', 'facts', 'pytest', 'hypothesis', 'pyinfra_cli')]]))\n"
    )
    env = {name: os.environ[name] for name in ("PATH", *forkserver.READ_HERE) if name in os.environ}
    env |= {name: value for name, value in os.environ.items() if name.startswith(programs.READ_AT_START)}
    env |= {"HOME": "/nowhere", "PYTHONPATH": f"/one{os.pathsep}/two"}
    arguments = ["-m", "module", "a b", ""]
    forked = programs.run(arguments, cwd=tmp_path, env=env)
    executed = subprocess.run(
        [sys.executable, *arguments], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    assert forked.stdout == executed.stdout
    assert (forked.returncode, forked.stderr) == (0, "")


def test_two_runs_do_not_see_each_other_s_state(tmp_path: Path) -> None:
    look = "import os, sys, pyinfra; print(os.environ.get('LEFT'), getattr(pyinfra, 'left', None), 'left' in sys.path, "
    look += "os.getcwd() != '/', 'left' in globals(), 'left' in sys.modules)"
    change = "import os, sys, pyinfra; os.environ['LEFT'] = pyinfra.left = left = 'x'; sys.path.append('left')\n"
    change += "sys.modules['left'] = sys; os.chdir('/'); os.umask(0)"
    assert code(change, cwd=tmp_path) == (0, "", "")
    assert code(look, cwd=tmp_path) == (0, "None None False True False False\n", "")
    draw = "import random, secrets, uuid; print(random.random(), secrets.token_hex(), uuid.uuid4())"
    assert not set(code(draw)[1].split()) & set(code(draw)[1].split())


def test_a_module_is_that_of_the_folder(tmp_path: Path) -> None:
    """Though it was compiled before from another one."""
    text = (ROOT / "settings/trees.py").read_bytes()
    for name, more in (("one", b""), ("two", b"\nraise SystemExit('changed')\n")):
        (tmp_path / name / "settings").mkdir(parents=True)
        (tmp_path / name / "settings/trees.py").write_bytes(text + more)
    look = (
        "import settings.trees as t, types; print(t.__file__, *{one.__code__.co_filename for one in vars(t).values() "
    )
    look += "if isinstance(one, types.FunctionType) and one.__module__ == t.__name__})"
    file = tmp_path / "one/settings/trees.py"
    assert code(look, cwd=tmp_path / "one") == (0, f"{file} {file}\n", "")
    assert code(look, cwd=tmp_path / "two") == (1, "", "changed\n")


def test_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text(
        "import os, sys\nopen('/dev/tty', 'w').write('on the terminal\\n')\n"
        "print(os.getsid(0) == os.getpid(), sys.stdin.isatty(), sys.stdout.line_buffering)\n"
        "print(input('Name? ')[::-1])\n"
    )
    status, said = converse(["module"], [("Name? ", "abc")], cwd=tmp_path, env=os.environ)
    assert (status, said.splitlines()) == (0, ["on the terminal", "True True True", "Name? abc", "cba"])


def test_a_terminal_that_hangs_up_ends_its_program(tmp_path: Path) -> None:
    terminal, inner = pty.openpty()
    arguments = ["-c", "import time; print('there', flush=True); time.sleep(60)"]
    child = programs.start(
        arguments, cwd=tmp_path, env=os.environ, stdin=inner, stdout=inner, stderr=inner, terminal=True
    )
    os.close(inner)
    assert os.read(terminal, 99) == b"there\r\n"
    os.close(terminal)
    assert child.wait() == -signal.SIGHUP


def test_children_of_a_child_are_its_own(tmp_path: Path) -> None:
    """Also after gevent has replaced how they are started."""
    start = "import subprocess; print(subprocess.run(['sh', '-c', 'exit 3']).returncode)"
    assert code(start) == (0, "3\n", "")
    assert code(f"import pyinfra_cli, gevent; gevent.sleep(0); {start}") == (0, "3\n", "")


def test_another_language_gets_an_executed_program() -> None:
    text = "import sys, os; print(sys.stdout.encoding, os.getppid())"
    assert code(text, PYTHONIOENCODING="ascii")[1] == f"ascii {os.getpid()}\n"
    with pytest.raises(ValueError, match="only an executed Python reads"):
        programs.start(["-c", text], cwd=ROOT, env={**os.environ, "LC_ALL": "fr_FR.UTF-8"}, stdin=0, stdout=1, stderr=2)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = programs.run(["-c", "print('never')"], cwd=tmp_path / "nowhere")
    assert (done.returncode, done.stdout) == (1, "") and "FileNotFoundError" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["settings", "inventory/production.py"], 0),
        (["settings", "inventory/production.py", "--json", "--data", "redis_port=many"], 1),
        (["settings.secrets", "list", "inventory/production.py"], 0),
        (["settings.secrets", "get", "inventory/production.py", "nothing"], 1),
        (["tasks.access", "inventory/nowhere.py", "alice"], 1),
        (["pyinfra", "inventory/production.py", "debug-inventory"], 0),
        (["pyinfra", "inventory/nowhere.py", "deploy.py", "-y"], 1),
    ],
)
def test_executed_programs_say_the_same(arguments: list[str], status: int) -> None:
    """Of each that tests start, so that a fault of its start is not hidden by what the fork server has imported."""
    executed = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=SECRETS, stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=300,
    )  # fmt: skip
    assert executed.returncode == status, executed.stderr
    forked = programs.run(["-m", *arguments], cwd=ROOT, env=SECRETS)
    assert (forked.returncode, forked.stdout, forked.stderr) == (status, executed.stdout, executed.stderr)
