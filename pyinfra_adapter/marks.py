"""What a command says, told apart from what a host's login shell, sudo and PAM say before and after it.

Around each command two lines are printed, on standard output and on standard error alike. What stands between them is
the command's own; everything else is noise: a ``.bashrc`` that prints, "unable to resolve host", a locale that was not
generated. Where the first line never came the command did not run, and what was said is the reason.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pyinfra.api import StringCommand

_TOKEN = secrets.token_hex(8)  # one of each run: no host has seen it before
BEGIN = f"ckan-deploy-begin-{_TOKEN}"
END = f"ckan-deploy-end-{_TOKEN}"


def around(command: str | StringCommand) -> StringCommand:
    """Return COMMAND, for ``sh -c``, between its marks; it keeps its exit status, and may end with ``exit``.

    The marks are put together by printf only: a command that lists processes shows the text that stands here.
    """
    begin, end = ("printf '%s%s\\n' " + " ".join((mark[:12], mark[12:])) for mark in (BEGIN, END))
    return StringCommand(
        f"{{ {begin}; {begin} >&2\n(\n",
        command,
        f"\n)\nset -- $?; {end}; {end} >&2; exit $1; }}",
        _separator="",
    )


@dataclass
class Answer:
    """One channel of a command's answer.

    + begun: whether the command ran
    + noise: lines that others said
    """

    begun: bool = False
    ended: bool = False
    noise: list[str] = field(default_factory=list)

    def lines(self, raw: Iterable[bytes]) -> Iterator[str]:
        """Yield the command's own lines as they come; those of others where it did not run at all."""
        for line in raw:
            if said := self._own(line.decode(errors="replace").rstrip("\n")):
                yield said[0]
        if not self.begun:
            yield from self.noise

    def _own(self, line: str) -> tuple[str] | None:
        """Return what of LINE the command said; None where nothing of it is its own."""
        if not self.begun:
            before, mark, _ = line.partition(BEGIN)
            self.begun = bool(mark)
            if before:
                self.noise.append(before)
            return None
        if self.ended:
            self.noise.append(line)
            return None
        if line == BEGIN:  # on a terminal both channels are one
            return None
        said, mark, _ = line.partition(END)
        self.ended = bool(mark)
        return (said,) if said or not mark else None  # without a line break at its end, the mark follows at once
