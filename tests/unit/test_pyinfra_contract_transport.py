"""What ``pyinfra_adapter`` replaces in pyinfra and paramiko is there, is looked up there, and is as it was read.

A test that fails here after an update says: read that function again, and see whether ours still does what it does.
All is read from the files: in the process that tests, some of it may have been replaced.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
from importlib import import_module

import pytest
from pyinfra.connectors import util

# In place of these stand functions of ours, or ours build on what they do.
AS_READ = {
    "pyinfra.connectors.ssh.SSHConnector.run_shell_command": "44383fa6",
    "pyinfra.connectors.ssh.SSHConnector.connect": "c299f193",
    "pyinfra.connectors.ssh.SSHConnector._connect": "44321ba7",
    "pyinfra.connectors.sshuserclient.client.get_host_keys": "9fe95cb0",
    "pyinfra.connectors.sshuserclient.client.get_missing_host_key_policy": "17f270c0",
    "pyinfra.connectors.sshuserclient.config.FakeInvoke": "4332cc09",
    "pyinfra.connectors.util.execute_command_with_sudo_retry": "dab6d647",
    "pyinfra.connectors.util.make_unix_command_for_host": "90596fc4",
    "pyinfra.connectors.util.read_buffer": "6837a764",
    "pyinfra.api.connect.connect_all": "eba065d1",
    "pyinfra_cli.cli._set_fail_prompts": "dba380b9",
    "pyinfra_cli.exceptions.WrappedError": "2bdf800b",
    "pyinfra_cli.inventory._is_inventory_group": "a6186691",
}
# What is replaced as a global of a module is looked up there by this function, at each call.
LOOKED_UP = [
    ("pyinfra_cli.cli._main", "connect_all"),
    ("pyinfra_cli.cli._main", "_set_fail_prompts"),
    ("pyinfra_cli.inventory._get_groups_from_filename", "_is_inventory_group"),
    ("pyinfra.connectors.sshuserclient.client.SSHClient.connect", "get_host_keys"),
    ("pyinfra.connectors.sshuserclient.client.SSHClient.parse_config", "get_missing_host_key_policy"),
    ("pyinfra.connectors.ssh_util._load_private_key_file", "getpass"),
    ("paramiko.config.SSHConfig._does_match", "invoke"),
]


def _definition(name: str) -> tuple[ast.AST, str]:
    """Return the definition of NAME, a function or class, and its text."""
    words = name.split(".")
    depth = next(i for i, word in enumerate(words) if word[0].isupper()) if any(w[0].isupper() for w in words) else -1
    source = inspect.getsource(import_module(".".join(words[:depth])))
    node: ast.AST = ast.parse(source)
    for word in words[depth:]:
        node = next(child for child in ast.walk(node) if getattr(child, "name", "") == word)
    return node, ast.get_source_segment(source, node) or ""


@pytest.mark.parametrize("name", AS_READ)
def test_what_is_replaced_is_as_read(name: str) -> None:
    assert hashlib.sha256(_definition(name)[1].encode()).hexdigest()[:8] == AS_READ[name]


@pytest.mark.parametrize(("name", "used"), LOOKED_UP)
def test_what_is_replaced_is_looked_up(name: str, used: str) -> None:
    assert used in {node.id for node in ast.walk(_definition(name)[0]) if isinstance(node, ast.Name)}


def test_what_sudo_says_is_known() -> None:
    assert "sudo: a password is required" in util.SUDO_PASSWORD_REQUIRED_LINES


def test_the_criteria_of_match_that_paramiko_evaluates() -> None:
    """It takes every other one to match: ``ssh_config`` refuses those, and only these may it let pass."""
    lines = _definition("paramiko.config.SSHConfig._does_match")[1].splitlines()
    known = {"all", "canonical", "exec", "final", "host", "localuser", "originalhost", "user"}
    assert {line.split('"')[1] for line in lines if 'type_ == "' in line} == known
