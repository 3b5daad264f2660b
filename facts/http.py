"""Facts about what web servers answer, asked from the host itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.value import Value

# Three lines for each URL: itself, what became of it, and the body on one line of ASCII (a cut or foreign character
# would not decode here, and none is needed).
_SCRIPT = r"""
address=$1; certificate=$2; shift 2
while [ $# -gt 0 ]; do
  said=$(curl --silent --max-time 20 --noproxy '*' --resolve "$1:$address" --cacert "$certificate" \
    --write-out '\n%{http_code} %{exitcode} %{errormsg}' -- "$2") || :
  printf '%s\n' "$2"; printf '%s\n' "$said" | tail -n 1
  printf '%s\n' "$said" | sed '$d' | head -c 20000 | LC_ALL=C tr -c '\40-\176' ' '; echo
  shift 2
done
"""


@dataclass(frozen=True)
class Answer(Value):
    """One URL's answer: HTTP status (0: none came), curl's exit status and message (0 and "": it came whole)."""

    url: str
    status: int
    code: int
    error: str
    body: str


class Answers(FactBase[tuple[Answer, ...]]):
    """What a web server answers to GETs, each within 20 seconds.

    + urls: asked one after another, redirects are not followed
    + address: IP address to connect to, whatever the names in the URLs resolve to
    + certificate: PEM file on the host that is trusted, and nothing else: the server's own or one that issued it
    """

    @override
    def command(self, urls: Sequence[str], address: str, certificate: str) -> StringCommand:
        """Build the one command of this fact."""
        shown = f"[{address}]" if ":" in address else address
        pairs = [part for url in urls for part in (_endpoint(url), url)]
        arguments = (shown, certificate, *pairs)
        return StringCommand("sh -c", QuoteString(_SCRIPT), "ckan-deploy", *map(QuoteString, arguments))

    @staticmethod
    @override
    def default() -> tuple[Answer, ...]:
        """Nothing was asked."""
        return ()

    @override
    def process(self, output: list[str]) -> tuple[Answer, ...]:
        """Parse curl's output; raises ``FactProcessError`` with it shown."""
        try:
            return tuple(_answer(*lines) for lines in zip(output[::3], output[1::3], output[2::3], strict=True))
        except ValueError:
            raise FactProcessError(f"curl printed what is not understood: {output!r}") from None


def _answer(url: str, result: str, body: str) -> Answer:
    status, code, error = [*result.split(" ", 2), ""][:3]
    return Answer(url, int(status), int(code), error.strip(), body.strip())


def _endpoint(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or (443 if parts.scheme == 'https' else 80)}"
