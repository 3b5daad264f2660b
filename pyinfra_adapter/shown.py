"""How the plan and the verdict look: lines on any standard output, numbers, times, names, commands to type."""

from __future__ import annotations

import codecs
import shlex
import sys
from collections.abc import Mapping
from typing import Any

import click
from pyinfra.api import Host, State

# What a terminal without Unicode shows instead.
_PLAIN = {ord("→"): "->", ord("…"): "...", ord("·"): "-"}
# Options of the command line that the same command needs again; passwords are never among them.
_OPTIONS = {
    "chdir": "--chdir", "config_filename": "--config", "data": "--data", "exclude": "--exclude",
    "group_data": "--group-data", "limit": "--limit", "ssh_key": "--ssh-key", "ssh_port": "--ssh-port",
    "ssh_user": "--ssh-user",
}  # fmt: skip


class Lines:
    """Lines for people: results on standard output, what went wrong on standard error."""

    def result(self, text: str = "", **style: Any) -> None:
        """Print a line of what was planned or done."""
        self._print(text, sys.stdout, style)

    def problem(self, text: str = "", **style: Any) -> None:
        """Print a line of what went wrong."""
        self._print(text, sys.stderr, style)

    def question(self, text: str) -> None:
        """Print what a person is asked, who answers in the same line."""
        self._print(text, sys.stderr, {}, nl=False)

    def _print(self, text: str, stream: Any, style: Mapping[str, Any], nl: bool = True) -> None:
        text = text.translate(_PLAIN) if stream in _LIMITED else text
        click.echo(click.style(text, **style) if style else text, err=stream is sys.stderr, nl=nl)


def _takes_unicode(stream: Any) -> bool:
    try:
        return codecs.lookup(stream.encoding).name.startswith("utf")
    except (AttributeError, LookupError, TypeError):
        return False


# As the process began: with masked output the streams take any character.
_LIMITED = tuple(stream for stream in (sys.stdout, sys.stderr) if not _takes_unicode(stream))


def name_of(state: State, op_hash: str) -> str:
    """Return the name of an operation; one that has none shows its arguments."""
    meta = state.get_op_meta(op_hash)
    name = ", ".join(sorted(meta.names))
    return f"{name} ({', '.join(map(str, meta.args))})" if meta.args else name


def number(count: int, what: str) -> str:
    """Return "1 host" or "3 hosts"."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def seconds(time: float) -> str:
    """Return a duration: tenths while it is short, minutes when it is long."""
    if time < 9.95:
        return f"{time:.1f} s"
    whole = round(time)
    return f"{whole} s" if whole < 120 else f"{whole // 60} min {whole % 60} s"


def clock(time: float) -> str:
    """Return the time that has gone by, as 1:05."""
    return f"{int(time) // 60}:{int(time) % 60:02d}"


def command(program: str, given: Mapping[str, Any], *more: str) -> str:
    """Return the command to type for the same again: the options GIVEN to pyinfra's command line, and MORE."""
    words = [str(given["inventory"]), *map(str, given["operations"])]
    for key, option in _OPTIONS.items():
        value = given.get(key)
        if key == "config_filename" and value == "config.py":
            continue
        for one in value if isinstance(value, list | tuple) else [value] if value is not None else []:
            words += [option, str(one)]
    return " ".join([program, *map(shlex.quote, words), *more])


def on_host(host: Host, wanted: str) -> str:
    """Return the command that runs WANTED as root on HOST, for people to type."""
    if host.name.startswith("@"):  # by other means than SSH
        return f"sudo {wanted}"
    data = host.data
    user, port = data.get("ssh_user"), data.get("ssh_port")
    place = f"{user}@{data.get('ssh_hostname') or host.name}" if user else str(data.get("ssh_hostname") or host.name)
    words = ["ssh", *(["-p", str(port)] if port and int(port) != 22 else []), place, "sudo", wanted]
    return " ".join(words)
