"""Operators with keys, and stores that they can open."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pyrage
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from settings.secrets import file, recipients
from settings.secrets.identity import Identities
from settings.secrets.sealed import Place
from settings.secrets.vault import Vault
from tests.unit import programs

ROOT = Path(__file__).resolve().parent.parent.parent
PASSPHRASE = "correct horse"


@dataclass(frozen=True)
class Operator:
    """Somebody with a private key in a file.

    + public: as a recipient, without a comment
    """

    name: str
    path: Path
    public: str

    @property
    def line(self) -> str:
        return f"{self.public} {self.name}"

    @property
    def identities(self) -> Identities:
        return Identities(self.path)


@cache
def _private(kind: str, name: str) -> ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey:
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


def operator(
    folder: Path, name: str = "alice", kind: str = "ed25519", passphrase: str = "", form: str = ""
) -> Operator:
    """Write a key into FOLDER.

    + kind: ed25519, rsa, ecdsa or age
    + form: "pem" for the older form of a private key
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"id_{name}_{kind}"
    if kind == "age":
        age = pyrage.x25519.Identity.generate()
        text, public = f"# created: today\n{age}\n".encode(), str(age.to_public())
    else:
        key = _private(kind, name)
        lock: KeySerializationEncryption = NoEncryption()
        if passphrase:
            lock = BestAvailableEncryption(passphrase.encode())
        shape = PrivateFormat.TraditionalOpenSSL if form == "pem" else PrivateFormat.OpenSSH
        text = key.private_bytes(Encoding.PEM, shape, lock)
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    path.write_bytes(text)
    path.chmod(0o600)
    path.with_suffix(".pub").write_text(f"{public} {name}\n")
    return Operator(name, path, public)


def vault(folder: Path, *operators: Operator, environment: str = "production") -> Vault:
    """Return an empty vault in FOLDER that OPERATORS can open, as the first of them sees it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / recipients.FILE).write_text("".join(f"{one.line}\n" for one in operators))
    return Vault(folder, environment, operators[0].identities)


def raw(vault: Vault, name: str, host: str = "") -> str:
    """Return the sealed text of a secret."""
    return vault.contents().sealed[Place(name, host)]


def put(vault: Vault, name: str, text: str, host: str = "") -> None:
    """Have TEXT where a sealed secret stands, as an attacker or a bad merge would."""
    file.write(vault.path, file.text_of(vault.contents().with_sealed({Place(name, host): text})))


def environment(home: Path, **variables: str) -> dict[str, str]:
    """Return a clean environment of somebody whose home is HOME."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    return {**kept, "HOME": str(home), "XDG_RUNTIME_DIR": str(home / "run"), **variables}


def program(
    *arguments: str, cwd: Path, env: Mapping[str, str], text: str = "", executed: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m ARGUMENTS`` without a terminal, TEXT on its standard input.

    + executed: not by the fork server, so that /proc shows the program's own command line and environment
    """
    if executed:
        return subprocess.run(
            [sys.executable, "-m", *arguments], cwd=cwd, env=env, input=text, capture_output=True, text=True,
            timeout=300, check=False,
        )  # fmt: skip
    return programs.run(["-m", *arguments], cwd=cwd, env=env, text=text)


def converse(
    arguments: Sequence[str], answers: Sequence[tuple[str, str]], *, cwd: Path, env: Mapping[str, str]
) -> tuple[int, str]:
    """Run ``python -m ARGUMENTS`` at a terminal; type each answer when its prompt has come; its status and output."""
    terminal, inner = pty.openpty()
    child = programs.start(["-m", *arguments], cwd=cwd, env=env, stdin=inner, stdout=inner, stderr=inner, terminal=True)
    os.close(inner)
    said, waiting, end = "", list(answers), time.monotonic() + 300
    while time.monotonic() < end:
        if waiting and waiting[0][0] in said.rpartition("\0")[2]:
            time.sleep(0.05)  # getpass empties the queue of what was typed before it turned the echo off
            os.write(terminal, f"{waiting.pop(0)[1]}\n".encode())
            said += "\0"
        if not select.select([terminal], [], [], 0.1)[0]:
            if child.poll() is not None:
                break
            continue
        try:
            said += os.read(terminal, 4096).decode()
        except OSError:  # the other end was closed
            break
    os.close(terminal)
    status = child.wait(timeout=120)
    assert not waiting, f"{waiting[0][0]!r} was never asked: {said}"
    return status, said.replace("\0", "")
