"""Commands that end before they read what they are given, as one that fails at once does."""

from __future__ import annotations

from io import StringIO

import pytest
from pyinfra.api import StringCommand
from pyinfra.connectors.util import run_local_process

from facts.ckan_data import Holdings
from facts.minio import Access
from facts.s3 import Semantics
from operations.files import script

NOWHERE = "/nonexistent"
# More than a pipe holds: who writes it is still at it when the command ends.
MUCH = "x" * 1_000_000


@pytest.mark.parametrize(
    ("command", "status", "says"),
    [
        (script("echo no such thing >&2; exit 3", stdin=""), 3, "no such thing"),
        (script("read -r first || :", stdin=""), 0, ""),
        (Access().command(NOWHERE, 1, "f", "/c", "r", "u", "k", f"{NOWHERE}/stamp"), 0, ""),
        (Holdings().command(NOWHERE, "/ini"), 0, ""),
        (Semantics().command(NOWHERE, "e", "k", "b", True), 127, "timeout: failed to run"),
    ],
    ids=["fails", "reads a part", "MinIO", "database", "object storage"],
)
def test_what_a_command_leaves_is_read(command: StringCommand, status: int, says: str) -> None:
    found, output = run_local_process(command.get_raw_value(), stdin=StringIO(MUCH))
    assert found == status
    assert says in output.stderr
