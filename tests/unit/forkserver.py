"""A Python that has imported what is slow to import, and forks a child for each program: started by ``programs.py``.

Most of a short program's time is its start: the libraries that it imports. Here they are imported once. A child gets
what a program gets that is executed (arguments, environment, folder, descriptors, terminal), imports this project's
own modules from its folder, and ends as any interpreter ends.

Only libraries are imported beforehand; of this project's modules, what they are compiled to is kept by their text.
``pyinfra_cli`` is not imported: it replaces parts of the standard library, which the child does when a program would.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import importlib.metadata
import json
import os
import runpy
import select
import socket
import sys
import termios
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

import pydantic

LIBRARIES = (
    "argparse", "asyncio", "click", "cryptography.hazmat.primitives.asymmetric.ed25519",
    "cryptography.hazmat.primitives.asymmetric.rsa", "cryptography.hazmat.primitives.serialization.ssh",
    "cryptography.x509", "ctypes", "dateutil.parser", "dateutil.relativedelta", "dateutil.tz", "distro",
    "email.message", "fractions", "getpass", "gevent.builtins", "gevent.event", "gevent.events", "gevent.local",
    "gevent.lock", "gevent.monkey._patch_thread_common", "gevent.monkey._patch_thread_lt313", "gevent.os",
    "gevent.pool", "gevent.queue", "gevent.resolver.thread", "gevent.select", "gevent.selectors", "gevent.signal",
    "gevent.socket", "gevent.ssl", "gevent.subprocess", "gevent.thread", "gevent.threading", "gevent.threadpool",
    "gevent.time", "html", "http.client", "jinja2", "logging", "packaging.requirements", "packaging.version",
    "paramiko", "pydantic.type_adapter", "pyinfra.api.connect", "pyinfra.connectors.sshuserclient",
    "pyinfra.facts.files", "pyinfra.operations.files", "pyinfra.operations.server", "pyrage", "secrets", "shlex",
    "tarfile", "tempfile", "tomli_w", "tomllib", "unittest.mock", "urllib.request", "uuid", "zipfile", "zope.event",
)  # fmt: skip
ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ("deploys", "facts", "operations", "pyinfra_adapter", "settings", "tasks", "tests/plan")
READ_HERE = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH", "PYTHONUNBUFFERED")  # what other Pythons read at their start
PACKETS = 1 << 20  # bytes of a request, at most

_codes: dict[bytes, CodeType] = {}
_compile = SourceFileLoader.source_to_code


@dataclass(frozen=True)
class Request:
    """What a child is to be.

    + arguments: as after ``python``: ``-m NAME …`` or ``-c CODE …``
    + terminal: its standard input is the terminal of a session of its own
    """

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    terminal: bool


def serve(requests: socket.socket) -> Request | None:
    """Fork a child for each request, and report its process and its end; return in the child, and when nobody asks."""
    running: dict[int, tuple[int, int]] = {}  # by descriptor of the process: its id, and where to report
    poll = select.poll()
    poll.register(requests, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            if ready != requests.fileno():
                poll.unregister(ready)
                pid, report = running.pop(ready)
                _say(report, "status", os.waitpid(pid, 0)[1])
                os.close(ready)
                os.close(report)
                continue
            text, given, _, _ = socket.recv_fds(requests, PACKETS, 4)
            if not text:
                return None
            *standard, report = given
            request = Request(**json.loads(text))
            pid = os.fork()
            if pid == 0:
                for descriptor in (requests.detach(), report, *running, *(there for _, there in running.values())):
                    os.close(descriptor)
                _become(request, standard)
                return request
            for descriptor in standard:
                os.close(descriptor)
            process = os.pidfd_open(pid)
            running[process] = pid, report
            poll.register(process, select.POLLIN)
            _say(report, "pid", pid)


def _say(report: int, word: str, number: int) -> None:
    try:
        os.write(report, f"{word} {number}\n".encode())
    except BrokenPipeError:  # nobody waits for it any more
        return


def _become(request: Request, standard: list[int]) -> None:
    """Take what the kernel gives a program: descriptors, terminal, folder and environment."""
    for number, descriptor in enumerate(standard):
        os.dup2(descriptor, number)
    for descriptor in standard:
        os.close(descriptor)
    if request.terminal:
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)


def run(request: Request) -> None:
    """Do what Python does after its start; what it raises, ``SystemExit`` too, ends this interpreter."""
    kind, what, *rest = request.arguments
    sys.orig_argv = [sys.executable, *request.arguments]
    for descriptor, name in enumerate(("stdin", "stdout", "stderr")):
        vars(sys)[name] = vars(sys)[f"__{name}__"] = _stream(descriptor)
    SourceFileLoader.source_to_code = _compiled  # type: ignore[method-assign,assignment]
    importlib.invalidate_caches()
    sys.dont_write_bytecode = bool(os.environ.get("PYTHONDONTWRITEBYTECODE"))
    more = [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    main = sys.modules["__main__"] = ModuleType("__main__")
    if kind == "-m":
        sys.path[:0] = [os.getcwd(), *more]  # noqa: PTH109
        sys.argv = ["-m", *rest]
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.path[:0] = ["", *more]
        sys.argv = ["-c", *rest]
        exec(compile(what, "<string>", "exec", dont_inherit=True), main.__dict__)
    else:
        raise ValueError(f"neither -m nor -c: {kind}")


def _stream(descriptor: int) -> Any:
    """Open a standard stream as Python does, for what the descriptor is now: errors and terminals line by line."""
    at_once = descriptor > 0 and bool(os.environ.get("PYTHONUNBUFFERED"))
    lines = descriptor == 2 or os.isatty(descriptor)
    old: Any = (sys.stdin, sys.stdout, sys.stderr)[descriptor]
    stream: Any = open(descriptor, old.mode, encoding=old.encoding, errors=old.errors, closefd=False)  # noqa: SIM115
    stream.reconfigure(line_buffering=lines, write_through=at_once)
    return stream


def _compiled(loader: SourceFileLoader, text: bytes, path: str, **options: Any) -> CodeType:
    """Compile as the LOADER does, once for each text."""
    known = _codes.get(bytes(text))
    return _moved(known, path) if known else _compile(loader, text, path, **options)


def _moved(code: CodeType, path: str) -> CodeType:
    inner = (_moved(one, path) if isinstance(one, CodeType) else one for one in code.co_consts)
    return code.replace(co_filename=path, co_consts=tuple(inner))


def _ready() -> socket.socket:
    """Import the libraries; return where requests come from."""
    del sys.path[0]  # the folder of this file, which is none of a program's
    requests = socket.socket(fileno=int(sys.argv[1]))
    for name in LIBRARIES:
        importlib.import_module(name)
    pydantic.create_model("First", field=(int, 0))  # has it look for plugins and import its engine
    # gevent asks for its plugins, of which there are none, two dozen times: all metadata is read each time.
    importlib.metadata.entry_points = importlib.metadata.entry_points().select
    for folder in OURS:
        for path in (ROOT / folder).rglob("*.py"):
            with suppress(SyntaxError):  # which is for those who import it
                _codes[path.read_bytes()] = compile(path.read_bytes(), path, "exec", dont_inherit=True)
    gc.collect()
    gc.freeze()
    return requests


if __name__ == "__main__":
    request = serve(_ready())
    if request:
        run(request)
