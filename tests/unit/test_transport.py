"""Answers of commands over a real sshd and sudo, on hosts whose shells, sudo and PAM talk in between."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

import pytest
from pyinfra.api import Config, FactBase, Host, State, StringCommand
from pyinfra.api.connect import connect_all, disconnect_all
from pyinfra.api.exceptions import PyinfraError
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.api.state import StateStage
from pyinfra.connectors.ssh import SSHConnector

from facts.host import Basics
from operations import lock
from operations.files import script
from pyinfra_adapter import transport
from tests.unit import sshd
from tests.unit.converge import _inventory

_config: Any = Config
# What people have: bytes that are no UTF-8, too, and a last line without its end.
PRINTS = r"""
printf 'Willkommen, \374berall\n'; printf 'no answer' >&2; trap 'echo bye; echo bye >&2' EXIT; printf 'held\nready'
"""
NOISY: dict[str, dict[str, Any]] = {
    "silent": {},
    "without its own name": {"etc": {"hosts": "127.0.0.1 localhost\n", "resolv.conf": ""}},
    "a locale that was not generated": {"etc": {"default/locale": "LANG=nl_BE.UTF-8\nLC_ALL=nl_BE.UTF-8\n"}},
    "a start file that prints": {"home": {".bashrc": PRINTS}},
    "fish": {"shell": "/usr/bin/fish", "home": {".config/fish/config.fish": "echo hello; echo hello >&2\n"}},
    "one session": {"config": "MaxSessions 1\n"},
    "all of it": {
        "etc": {
            "hosts": "127.0.0.1 localhost\n", "resolv.conf": "", "default/locale": "LANG=nl_BE.UTF-8\nLANGUAGE=nl\n",
        },
        "home": {".bashrc": PRINTS},
        "config": "MaxSessions 1\n",
    },
}  # fmt: skip


@pytest.fixture(autouse=True)
def _ours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("connect", "run_shell_command"):
        monkeypatch.setattr(SSHConnector, name, getattr(SSHConnector, name))
    transport.install()


@pytest.fixture(scope="module", params=NOISY)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Server]:
    with sshd.serve(tmp_path_factory.mktemp("sshd") / "host", **NOISY[request.param]) as running:
        yield running


@contextmanager
def run(server: sshd.Server, **more: Any) -> Iterator[tuple[State, Host]]:
    """Connect to SERVER as a run does, in the stage in which commands are executed."""
    inventory = _inventory(([("there", {**server.data, **more})], {}))
    config = _config(SUDO=True, ENV={"LC_ALL": "C.UTF-8", "LANGUAGE": ""}, FAIL_PERCENT=0)
    state = State(inventory, config)
    connect_all(state)
    try:
        host = inventory.get_host("there")
        yield state, host
    finally:
        disconnect_all(state)


class Said(FactBase[list[str]]):
    """What a command says, line by line."""

    def command(self, what: str) -> str:
        return what

    def process(self, output: list[str]) -> list[str]:
        return output


def test_what_a_command_says_is_its_own(server: sshd.Server) -> None:
    """The whole of it, to the byte, and nothing else."""
    odd = r"""a "b" 'c' \ \\ \\\ \n $HOME `id` ! # ~ ü"""
    with run(server) as (_, host):
        done, output = host.run_shell_command(
            script('printf "%s\\n" "$1" "" "  x"; printf "no end"; printf "%s" "$1" >&2; exit 3', odd), _sudo=True
        )
        assert (done, output.stdout_lines, output.stderr_lines) == (False, [odd, "", "  x", "no end"], [odd])
        done, output = host.run_shell_command(script("cat; id -u", stdin=f"{odd}\n"), _sudo=True, _stdin=StringIO(odd))
        assert (done, output.stdout_lines, output.stderr_lines) == (True, [odd, "0"], [])
        done, output = host.run_shell_command(StringCommand("true # nothing"), _sudo=True)
        assert (done, output.combined_lines) == (True, [])
        done, output = host.run_shell_command(StringCommand("cat <<'X'\nhere\nX"))  # as the account itself
        assert (done, output.stdout_lines) == (True, ["here"])


def test_facts_are_what_they_are(server: sshd.Server) -> None:
    with run(server) as (_, host):
        basics = host.get_fact(Basics)
        assert basics and basics.architecture == "x86_64"
        assert host.get_fact(Said, what="ps -ww -o args= -p $PPID >/dev/null; echo only this") == ["only this"]
        assert host.get_fact(Said, what=f"printf '%s\\n' {'x' * 70000}") == ["x" * 70000]


def _hold(server: sshd.Server) -> tuple[bool, str]:
    """Hold the host as a run does; return whether that failed, and what was said."""
    with run(server) as (state, host):
        state.set_stage(StateStage.Prepare)
        add_op(state, lock.hold)
        state.set_stage(StateStage.Execute)
        try:
            run_ops(state)
            failed = False
        except PyinfraError:
            failed = True
        (operation,) = state.ops[host].values()
        # Held or not, other commands go on beside it.
        assert host.get_fact(Said, what="cat /run/ckan-deploy/run.holder")
        return failed, " ".join(operation.operation_meta.stderr_lines)


def test_the_host_is_held_and_let_go(server: sshd.Server) -> None:
    assert _hold(server) == (False, "")
    assert _hold(server) == (False, ""), "the lock outlived its run"


def test_a_second_run_is_told_of_the_first(server: sshd.Server) -> None:
    with run(server) as (state, host):
        state.set_stage(StateStage.Prepare)
        add_op(state, lock.hold)
        state.set_stage(StateStage.Execute)
        run_ops(state)
        failed, said = _hold(server)
        assert failed and said.startswith("another run is under way on there, nothing was changed: "), said
        assert "from 127.0.0.1; if it is dead, end it with `sudo kill " in said
        # What the sentence says frees the host, and ends the first run.
        pid = said.split("sudo kill ")[1].split("`")[0]
        host.run_shell_command(StringCommand("kill", pid), _sudo=True)
        deadline = 100
        while _hold(server)[0]:
            deadline -= 1
            assert deadline
