"""What is asked at the terminal, and never of nobody: sudo's password, a key's passphrase, whether to go on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from getpass import getpass
from typing import Any

from pyinfra.api import Host
from pyinfra.api.exceptions import PyinfraError
from pyinfra.connectors import ssh_util
from pyinfra.connectors.util import SUDO_PASSWORD_REQUIRED_LINES, CommandOutput, execute_command_with_sudo_retry
from pyinfra_cli import cli

Execute = Callable[[], tuple[int, CommandOutput]]


def terminal() -> bool:
    """Whether somebody can be asked: standard input is a terminal."""
    try:
        return sys.stdin.isatty()
    except (AttributeError, ValueError):  # there is no standard input
        return False


def install() -> None:
    """Have pyinfra ask nobody where there is no terminal."""
    module: Any = ssh_util
    module.getpass = _passphrase
    cli._set_fail_prompts = _fail_prompts
    cli._do_confirm = _confirming(cli._do_confirm)


_FAIL_PROMPTS = cli._set_fail_prompts


def _confirming(ask: Callable[[str], bool]) -> Callable[[str], bool]:
    """Return ASK, which asks whether to go on, for those who may be asked."""

    def confirm(message: str) -> bool:
        if not terminal():
            raise PyinfraError(
                "nothing was changed: there is no terminal to ask at; add -y to change it without being asked, or "
                "--dry to see only what would change"
            )
        return ask(message)

    return confirm


def _fail_prompts(state: Any, config: Any) -> None:
    """Let a person decide whether to go on without a host that failed; without one, the run stops there."""
    if terminal():
        _FAIL_PROMPTS(state, config)


def _passphrase(prompt: str) -> str:
    if not terminal():
        raise PyinfraError("the key is encrypted")
    return getpass(prompt)


def with_password(host: Host, arguments: Any, execute: Execute) -> tuple[int, CommandOutput]:
    """EXECUTE a command on HOST; at a terminal, once more with sudo's password where it wants one."""
    if not terminal():
        return execute()
    answer: tuple[int, CommandOutput] = execute_command_with_sudo_retry(host, arguments, execute)
    return answer


def sudo_problem(name: str, said: list[str]) -> str:
    """Say what sudo on the host NAME objects to, given what it SAID; empty where it is something else."""
    lines = [line.strip() for line in said]
    grant = f"`ACCOUNT ALL=(ALL) NOPASSWD: ALL` in a file of /etc/sudoers.d on {name}"
    if any(line in SUDO_PASSWORD_REQUIRED_LINES for line in lines):
        return (
            f"{name}: sudo wants a password there, and there is no terminal to ask for it; run at a terminal, or let "
            f"the account do without one ({grant})"
        )
    if any("incorrect password attempt" in line or "no password was provided" in line for line in lines):
        return f"{name}: sudo did not take the password; run again, or let the account do without one ({grant})"
    if any("not in the sudoers file" in line or "is not allowed to" in line for line in lines):
        return f"{name}: the account may not use sudo there; let it ({grant}), or log in as another (ssh_user)"
    if any("you must have a tty" in line for line in lines):
        return f"{name}: sudo wants a terminal there; take `requiretty` out of its sudoers"
    if any("sudo" in line and "not found" in line for line in lines):
        return f"{name}: there is no sudo; install it there (`apt-get install sudo`)"
    return ""
