"""Differences between the file on a host and the wanted text: what changes is said, what is secret is not shown.

A line that goes away may hold a secret in a form that is not known here: of those only what cannot hold one is shown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby

_SHOWN = "***"
_CONTEXT = 2  # lines around a change
_ONE = "(a line that may be secret)"
_MOST = 100  # lines that go away, and are shown one by one

_SETTING = re.compile(r"\s*([A-Za-z_][\w.-]*)(?:\s*[=:]\s*|\s+)(\S.*?)?\s*")
_HEADING = re.compile(r"\s*\[[\w:. -]{1,40}\]\s*")
# What a setting of any name may be without being a secret. Not nothing: a line of a private key may end with "=".
_HARMLESS = re.compile(r"true|false|yes|no|on|off|none|all|default|[0-9]{1,6}[kmg]?b?", re.IGNORECASE)
# Whoever writes such a word, an address with a user, or what gives one of Redis' users a password, may write a secret
# beside it, whatever the setting's name is. (\x3e is ">", here not a shell's.)
_SUSPICIOUS = re.compile(r"pass|pwd|secret|token|key|credential|auth(?!\.)|://[^/\s]*@|[\s\"'][\x3e#]\S", re.IGNORECASE)


@dataclass(frozen=True)
class _Line:
    """A line of the result: " " stays, "-" goes, "+" comes, "~" is the same but for its secrets."""

    sign: str
    text: str
    hidden: bool = False
    number: int = 1  # of lines for which it stands


class Difference:
    """The way from the lines CURRENT to the lines WANTED, which people see as MASKED: line for line the same.

    + mask: stands for each secret in MASKED
    + effects: what it means that a secret changes, by the masked line
    + private: the file may have held secrets although WANTED has none
    """

    def __init__(
        self,
        current: Sequence[str],
        wanted: Sequence[str],
        masked: Sequence[str],
        mask: str,
        effects: Mapping[str, str],
        private: bool = False,
    ) -> None:
        self.current, self.masked, self.mask = current, masked, mask
        self.wanted = wanted if len(wanted) == len(masked) else masked  # then no line is known to stay the same
        self.effects = effects
        self.guarded = private or any(mask in line for line in masked)
        # Lines with the most known text first: a line that is nothing but a secret is like any other.
        secret = sorted({line for line in masked if mask in line}, key=lambda line: -len(line.replace(mask, "")))
        self.patterns = {line: re.compile("(.*)".join(map(re.escape, line.split(mask)))) for line in secret}
        self.plain = {line for line in masked if mask not in line}
        self.secret_lines = {
            name: (line, raw)
            for line, raw in zip(masked, self.wanted, strict=True)
            if mask in line and (name := _name(line))
        }
        # Of settings that ours never has with a secret: "user" of Redis stands for several accounts.
        self.plain_names = {name for line in self.plain if (name := _name(line))} - self.secret_lines.keys()

    def lines(self) -> list[str]:
        """Return what people see of it: hunks like those of ``diff -u``; nothing where nothing changes."""
        found = self._summarized(list(self._compared()))
        near = [
            any(one.sign != " " for one in found[max(0, i - _CONTEXT) : i + _CONTEXT + 1]) for i in range(len(found))
        ]
        shown: list[str] = []
        number = 1
        for is_near, group in groupby(zip(near, found, strict=True), key=lambda pair: pair[0]):
            hunk = [line for _, line in group]
            if is_near:
                shown += [f"@@ line {number} @@", *(line.sign + line.text for line in hunk)]
            number += sum(line.number for line in hunk if line.sign != "-")
        return ["--- on the host", "+++ wanted", *shown] if shown else []

    def _compared(self) -> Iterator[_Line]:
        keys = [self._masked(line) for line in self.current]
        steps = SequenceMatcher(None, keys, self.masked, autojunk=False).get_opcodes()
        moved = self._moved(keys, steps)
        for tag, i1, i2, j1, j2 in steps:
            if tag == "equal":
                yield from (self._same(self.current[i], j) for i, j in zip(range(i1, i2), range(j1, j2), strict=True))
                continue
            yield from (self._gone(self.current[i]) for i in range(i1, i2) if i not in moved.values())
            for j in range(j1, j2):
                is_new = j not in moved
                yield _Line("+", self._shown(self.masked[j])) if is_new else self._same(self.current[moved[j]], j)

    def _moved(self, keys: Sequence[str], steps: Sequence[tuple[str, int, int, int, int]]) -> dict[int, int]:
        """Lines with a secret that stand elsewhere now: numbers on the host by wanted ones.

        They are compared with themselves all the same, since it must be said whether the secret changes.
        """
        changes = [step for step in steps if step[0] != "equal"]
        gone = [i for _, i1, i2, _, _ in changes for i in range(i1, i2) if self.mask in keys[i]]
        moved: dict[int, int] = {}
        for _, _, _, j1, j2 in changes:
            for j in range(j1, j2):
                for i in gone:
                    if keys[i] == self.masked[j] and i not in moved.values():
                        moved[j] = i
                        break
        return moved

    def _same(self, line: str, j: int) -> _Line:
        """Show that LINE of the host is the wanted one of number J, but maybe for its secret."""
        return _Line(" ", self._shown(self.masked[j])) if line == self.wanted[j] else self._changed(self.masked[j])

    def _masked(self, line: str) -> str:
        """What LINE of the host is called in MASKED; something that is not in there for all others."""
        if line in self.plain:
            return line
        return next((masked for masked, pattern in self.patterns.items() if pattern.fullmatch(line)), f"\0{line}")

    def _changed(self, masked: str) -> _Line:
        effect = self.effects.get(masked, "")
        if masked.count(self.mask) == 1:
            text = masked.replace(self.mask, f"{_SHOWN} → {_SHOWN}")
            return _Line("~", f"{text} (changes: {effect})" if effect else text)
        return _Line("~", f"{self._shown(masked)} ({': '.join(filter(None, ('a secret in it changes', effect)))})")

    def _gone(self, line: str) -> _Line:
        """Show LINE of the host, which goes away, as far as it cannot hold a secret."""
        if not self.guarded or self._is_harmless(line):
            return _Line("-", line)
        if masked := next((masked for masked, pattern in self.patterns.items() if pattern.fullmatch(line)), ""):
            return _Line("-", self._shown(masked))
        name = _name(line)
        if name in self.secret_lines:
            masked, raw = self.secret_lines[name]
            if self._holds_the_same(line, masked, raw):
                return _Line("-", f"{name} (not shown; its secret stays)")
            changes = ": ".join(filter(None, ("its secret changes", self.effects.get(masked, ""))))
            return _Line("-", f"{name} (not shown; {changes})")
        if name in self.plain_names:
            return _Line("-", f"{name} (not shown: it may be secret)")
        return _Line("-", "", hidden=True)

    def _is_harmless(self, line: str) -> bool:
        if not line.strip() or line in self.plain or _HEADING.fullmatch(line):
            return True
        setting = _SETTING.fullmatch(line)
        if setting is None or _SUSPICIOUS.search(line):
            return False
        return setting[1] in self.plain_names or bool(setting[2] and _HARMLESS.fullmatch(setting[2]))

    def _holds_the_same(self, line: str, masked: str, raw: str) -> bool:
        """Whether LINE, of another form than MASKED, has the secrets that RAW has."""
        found = self.patterns[masked].fullmatch(raw)
        secrets = found.groups() if found else ()
        return bool(secrets) and all(
            re.search(rf"(?<![\w-]){re.escape(secret)}(?![\w-])", line) for secret in secrets if secret
        )

    def _shown(self, masked: str) -> str:
        return masked.replace(self.mask, _SHOWN)

    def _summarized(self, lines: list[_Line]) -> list[_Line]:
        """Put hidden neighbours into one line, and all that goes away where that is too much to read."""
        gone = [line for line in lines if line.sign == "-" and "; its secret " not in line.text]
        if len(gone) > _MOST:
            dropped = set(map(id, gone))
            summary = _Line("-", f"({len(gone):,} lines that are there now, too many to show)")
            return [summary, *(line for line in lines if id(line) not in dropped)]
        found: list[_Line] = []
        for line, group in groupby(lines):
            number = len(list(group))
            if line.hidden:
                found.append(_Line("-", f"({number} lines that may be secret)" if number > 1 else _ONE))
            elif line.sign == "~" and number > 1:  # a secret of many lines
                found.append(_Line("~", f"{line.text} ({number} lines)", number=number))
            else:
                found += [line] * number
        return found


def _name(line: str) -> str:
    """Name of what LINE sets; empty where it sets nothing."""
    found = _SETTING.match(line)
    return found[1] if found else ""
