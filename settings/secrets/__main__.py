"""The program ``python -m settings.secrets``."""

from __future__ import annotations

from settings import masking
from settings.secrets.commands import cli

if __name__ == "__main__":
    masking.leave_no_core()  # its output is not masked: `get` prints a secret
    cli(prog_name="python -m settings.secrets")
