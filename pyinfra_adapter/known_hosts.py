"""Host keys: each line of known_hosts counts by itself, and an unknown key stops the run with a sentence.

pyinfra gives up a whole file at a line that it cannot read, such as one of a certificate authority: then no key is
known. A revoked key would be a new one.
"""

from __future__ import annotations

import logging
from functools import cache
from pathlib import Path
from typing import Any

from paramiko import HostKeys, PKey, SSHException
from paramiko.hostkeys import HostKeyEntry, InvalidHostKey
from pyinfra import logger
from pyinfra.connectors.sshuserclient import client

from pyinfra_adapter.asking import terminal


class HostKeyProblem(SSHException):
    """A host key that cannot be taken, in a sentence."""


class Known(HostKeys):
    """The keys of some files.

    + files: their names
    + revoked: keys that no host may have
    + unread: lines that say something of hosts' keys that paramiko cannot heed, with their places
    """

    def __init__(self, files: tuple[str, ...]) -> None:
        super().__init__()
        self.files = files
        self.revoked: set[str] = set()
        self.unread: list[str] = []
        for name in files:
            path = Path(name).expanduser()
            if path.is_file():
                for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
                    self._take(line.split(), f"{name}:{number}")
        self._entries: list[Any] = [entry for entry in self._entries if entry.key.get_base64() not in self.revoked]

    def _take(self, fields: list[str], place: str) -> None:
        if not fields or fields[0].startswith("#"):
            return
        if fields[0] == "@revoked" and len(fields) > 3:
            self.revoked.add(fields[3])
            return
        if fields[0].startswith("@"):
            self.unread.append(f"{place} ({fields[0]})")
            return
        try:
            entry = HostKeyEntry.from_line(" ".join(fields[:3]))
        except (InvalidHostKey, SSHException, ValueError):
            entry = None
        if entry is not None:
            self._entries.append(entry)


class _Policy:
    """What is done with a key that is not known: as the operator has set it, but never a question to nobody."""

    def __init__(self, wanted: Any) -> None:
        self.wanted = wanted

    def missing_host_key(self, connection: Any, hostname: str, key: PKey) -> None:
        """Take the KEY of HOSTNAME or raise ``HostKeyProblem``."""
        known = connection._host_keys
        if isinstance(known, Known) and key.get_base64() in known.revoked:
            raise HostKeyProblem(f"the host key of {hostname} is revoked in {' and '.join(known.files)}")
        strict = isinstance(self.wanted, client.StrictPolicy)
        if strict or (isinstance(self.wanted, client.AskPolicy) and not terminal()):
            raise HostKeyProblem(_unknown(known, hostname, key))
        self.wanted.missing_host_key(connection, hostname, key)


def _unknown(known: Any, hostname: str, key: PKey) -> str:
    files = getattr(known, "files", ("known_hosts",))
    name, _, port = hostname.strip("[").partition("]:")
    scan = f"ssh-keyscan {f'-p {port} ' if port else ''}{name} >> {files[0]}"
    unread = getattr(known, "unread", [])
    marked = f"; what {' and '.join(unread)} says cannot be heeded: each host's own key is needed" if unread else ""
    return (
        f"the host key of {hostname} is not known in {' and '.join(files)}{marked}; record it (`{scan}`), and compare "
        f"its fingerprint by another way: {key.get_name()} {key.fingerprint}"
    )


def install() -> None:
    """Have pyinfra read host keys our way."""
    if client.get_host_keys is not _read:
        policy: Any = client.get_missing_host_key_policy
        client.get_missing_host_key_policy = lambda wanted: _Policy(policy(wanted))
        client.get_host_keys = _read
        logger.addFilter(_said_otherwise)


_ALARM = (
    "WARNING: REMOTE HOST IDENTIFICATION",
    "Someone could be eavesdropping",
    "If this is expected,",
    "    ssh-keygen",
)


def _said_otherwise(record: logging.LogRecord) -> bool:
    """Whether a RECORD is none of pyinfra's lines about a host key that has changed: our sentence says all of them."""
    return not str(record.msg).startswith(_ALARM)


@cache
def _read(files: tuple[str, ...]) -> Known:
    return Known(files)
