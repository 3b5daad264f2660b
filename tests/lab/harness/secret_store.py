"""The secrets of the lab's portal, out of the store that the product made for it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from lab import state
from settings.secrets.identity import Identities
from settings.secrets.vault import Vault
from tests.lab.harness import deploy, deployments

ENVIRONMENT = "lab"  # the inventory's file name, of the variants' too


def secrets() -> dict[str, str]:
    """All secrets by their names."""
    folder = state.secrets_path()
    vault = Vault(folder, ENVIRONMENT, Identities(folder / "identity"))
    return {place.name: secret.unmask() for place, secret in vault.open_all().items()}


def secret(name: str) -> str:
    """One secret; it must have been made."""
    return secrets()[name]


@contextmanager
def unchanged() -> Iterator[None]:
    """Have the store as it was afterwards: the snapshots of deployed hosts know no other secrets."""
    path = state.secrets_path() / f"{ENVIRONMENT}.toml"
    before = path.read_bytes()
    try:
        yield
    finally:
        path.write_bytes(before)


def rotate(*names: str) -> None:
    """Rotate secrets as an operator does."""
    _run("rotate", *names)


def give(name: str, value: str) -> None:
    """Give a secret that no chance makes, as an operator does."""
    _run("set", name, text=value)


def _run(command: str, *names: str, text: str = "") -> None:
    done = subprocess.run(
        [sys.executable, "-m", "settings.secrets", command, deployments.current().inventory, *names],
        cwd=deploy.ROOT,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
