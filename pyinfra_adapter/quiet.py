"""What pyinfra's log would say while it works, of which a person is shown what counts.

pyinfra's own lines of what it is at are dropped. What operations say of what they change is kept for the line of that
operation; warnings are shown once, errors at once.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyinfra
import pyinfra_cli
from pyinfra import logger
from pyinfra.api import Host
from pyinfra.context import ctx_host
from typing_extensions import override

_THEIRS = tuple(str(Path(str(package.__file__)).parent) + "/" for package in (pyinfra, pyinfra_cli))
_STYLE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
# pyinfra's own last line about an operation that failed, or a fact; what was the matter stands above it.
_SUMMARY = re.compile(r"Error: (executed \d+ commands|could not )")


class Quiet(logging.Filter):
    """Decides which records of pyinfra's logger are shown, and keeps those that belong to an operation.

    + before: called before one is shown
    + failing: called with a host and an operation when that operation says its first error
    """

    def __init__(self, before: Callable[[], None], failing: Callable[[Host, str], None]) -> None:
        super().__init__()
        self._before, self._failing = before, failing
        self._said: set[str] = set()
        self.notes: dict[tuple[str, str], list[str]] = {}  # by host and operation: what it says of its changes
        self.errors: dict[tuple[str, str], list[str]] = {}  # by host and operation, "" while it is none
        self.summaries: dict[tuple[str, str], list[str]] = {}

    def install(self) -> None:
        """Let pyinfra's log through this from now on."""
        for handler in logger.handlers:
            handler.addFilter(self)

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        """Whether RECORD is shown now."""
        host = ctx_host.get()  # type: ignore[no-untyped-call]
        key = (host.name, host.current_op_hash or host.executing_op_hash or "") if host else ("", "")
        text = _text(record, host)
        if record.levelno < logging.WARNING:
            if not _ours(record):
                return False
            if key[1]:
                self.notes.setdefault(key, []).append(text)
                return False
        elif record.levelno < logging.ERROR:
            if text in self._said:
                return False
            self._said.add(text)
        elif _SUMMARY.match(text):
            self.summaries.setdefault(key, []).append(text.removeprefix("Error: "))
            return False
        else:
            if host and key[1] and key not in self.errors:
                self._failing(host, key[1])
            self.errors.setdefault(key, []).append(text)
        self._before()
        return True


def _ours(record: logging.LogRecord) -> bool:
    """Whether somebody else than pyinfra says it; ``host.log`` is what it gives them to do so."""
    return not record.pathname.startswith(_THEIRS) or record.funcName == "log"


def _text(record: logging.LogRecord, host: Any) -> str:
    text = _STYLE.sub("", record.getMessage() if isinstance(record.msg, str) else str(record.msg))
    if host:
        text = text.removeprefix(_STYLE.sub("", host.print_prefix))
    return text.removeprefix("    ").rstrip() or text
