"""Our own errors are sentences for the operator: shown as they are, without a file and line of ours before them."""

from __future__ import annotations

from traceback import walk_tb
from typing import Any

import click
from pyinfra import logger
from pyinfra.api.util import PYINFRA_INSTALL_DIR
from pyinfra_cli.exceptions import WrappedError

_SHOW = WrappedError.show


def install() -> None:
    """Have pyinfra's command line show our errors so."""
    WrappedError.show = _show


def _show(self: Any, file: Any = None) -> None:
    """Show a ``PyinfraError``; one that pyinfra itself raised keeps the place of the call that it objects to."""
    frames = list(walk_tb(self.traceback))
    if frames and frames[-1][0].f_code.co_filename.startswith(PYINFRA_INSTALL_DIR):
        _SHOW(self, file)
        return
    logger.warning(f"--> {click.style('error', 'red', bold=True)}: {self.message}")
