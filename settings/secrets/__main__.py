"""The program ``python -m settings.secrets``."""

from __future__ import annotations

import resource

from settings.secrets.commands import cli

if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a crash would write the secrets in memory to disk
    cli(prog_name="python -m settings.secrets")
