"""Facts about a running Redis; never its password."""

from __future__ import annotations

from pyinfra.api import FactBase, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.sent import on_host

# Speaks to Redis as its configuration says, without a client: the password would be in its arguments or environment.
CONNECT = r"""
import re, socket, sys
def options(path):
    try:
        with open(path) as file:
            lines = re.findall(r"^[ \t]*([a-z-]+)[ \t]+(.*?)[ \t]*$", file.read(), re.M)
    except OSError:
        return None
    return {name: re.sub(r'^"(.*)"$', lambda m: re.sub(r"\\(.)", r"\1", m.group(1)), value) for name, value in lines}
class Redis:
    def __init__(self, found):
        host = next((word for word in found.get("bind", "").split() if word[0] not in "-:*0"), "127.0.0.1")
        self.stream = socket.create_connection((host, int(found.get("port", "6379"))), timeout=30).makefile("rwb")
        if found.get("requirepass"):
            self.ask("AUTH", found["requirepass"])
    def ask(self, *words):
        self.stream.write(b"*%d\r\n" % len(words))
        for word in words:
            self.stream.write(b"$%d\r\n%s\r\n" % (len(word.encode()), word.encode()))
        self.stream.flush()
        return self.answer()
    def answer(self):
        line = self.stream.readline().decode().rstrip("\r\n")
        kind, rest = line[:1], line[1:]
        if kind == "-" or not kind:
            raise OSError(rest or "the connection was closed")
        if kind == "$":
            return "" if rest == "-1" else self.stream.read(int(rest) + 2)[:-2].decode(errors="replace")
        if kind == "*":
            return [self.answer() for _ in range(int(rest))]
        return rest
"""
_UNWRITTEN = (
    CONNECT
    + r"""
found = options(sys.argv[1])
if found is None or found.get("appendonly") == "yes":
    print(0)
    sys.exit()
try:
    redis = Redis(found)
    if redis.ask("CONFIG", "GET", "appendonly")[1] == "yes":
        print(0)
    else:
        print(sum(map(int, re.findall(r"^db\d+:keys=(\d+)", redis.ask("INFO", "keyspace"), re.M))))
except OSError:
    print(0)
"""
)


class Unwritten(FactBase[int]):
    """How many keys Redis would lose if it were started again with an append-only file; 0 where it does not run.

    + path: of its configuration
    """

    @override
    def command(self, path: str) -> StringCommand:
        """Build the one command of this fact."""
        return on_host(_UNWRITTEN, path)

    @staticmethod
    @override
    def default() -> int:
        """None."""
        return 0

    @override
    def process(self, output: list[str]) -> int:
        """Take the number; raises ``FactProcessError`` with the output shown."""
        try:
            return int(output[-1])
        except (IndexError, ValueError):
            raise FactProcessError(f"what Redis holds is not understood: {output!r}") from None
