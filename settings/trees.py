"""On which line of a data file a value stands, from its syntax tree: pyinfra gives values without their origin.

A line is told only when it is certain. What is bound in a loop or a condition, made by a comprehension or changed
later has none: then the file alone must do. A literal that differs from the value in force is no origin of it.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

_TRICKS = {"globals", "locals", "vars", "exec", "eval"}  # with these, a name may be bound where none stands
UNKNOWN: Any = object()  # a value to compare with that is not known

Lines = dict[str, tuple[int, ast.expr] | None]  # by key: where it stands, or None where that is not certain


@dataclass(frozen=True)
class Entry:
    """A host in one group of an inventory: its LINE and those of its data; LINES None where they cannot be told."""

    line: int
    lines: Lines | None


class DataFile:
    """The syntax tree of one data file. Raises ``OSError``, ``SyntaxError`` or ``ValueError``."""

    def __init__(self, path: Path) -> None:
        self.tree = ast.parse(path.read_bytes(), filename=str(path))
        names = {node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name)}
        declared = {name for node in ast.walk(self.tree) if isinstance(node, ast.Global) for name in node.names}
        self.unsure = None if names & _TRICKS else declared

    def binds(self, name: str) -> bool:
        """Whether NAME is bound in this file, anywhere at its top level."""
        return any(name in _bound(statement) for statement in self.tree.body)

    def statement(self, name: str) -> ast.stmt | None:
        """Return the statement that gave NAME its last value; None when that is not certain."""
        if self.unsure is None or name in self.unsure:
            return None
        last = None
        for statement in self.tree.body:
            if "*" in _bound(statement):
                last = None
            elif name in _bound(statement):
                last = statement if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign) else None
        return last

    def line(self, name: str, value: Any = UNKNOWN) -> int | None:
        """Line on which NAME got VALUE at the top level."""
        statement = self.statement(name)
        if statement is None:
            return None
        expression = _assigned(statement, name)
        return None if expression is not None and _differs(expression, value) else statement.lineno

    def group_data_line(self, group: str, key: str, value: Any) -> int | None:
        """Line of KEY in the dictionary of the inventory's GROUP, which is a tuple of hosts and data."""
        node = self._resolve(self._value(group))
        if isinstance(node, ast.Tuple) and len(node.elts) == 2:
            return _line(self._dictionary(node.elts[1]), key, value)
        return None

    def host_line(self, host: str) -> int | None:
        """Line of the first mention of HOST in a group."""
        return next((entry.line for entry in self._entries(host) if entry), None)

    def host_data_line(self, host: str, key: str, value: Any) -> int | None:
        """Line on which KEY got VALUE for HOST; of several groups that name the host, the last counts."""
        found = None
        for entry in self._entries(host):
            if entry is None or entry.lines is None:
                found = None  # it may have the key, too
            elif key in entry.lines or None in entry.lines.values():
                found = _line(entry.lines, key, value)
        return found

    def _entries(self, host: str) -> Iterator[Entry | None]:
        """Yield each mention of HOST in the groups, in pyinfra's order; None for what may be one."""
        names = dict.fromkeys(name for statement in self.tree.body for name in sorted(_bound(statement)))
        groups = [name for name in names if not name.startswith("_")]
        for group in sorted(groups, key=lambda name: name == "all"):
            if isinstance(self._last(group), ast.FunctionDef | ast.ClassDef | ast.Import):
                continue  # certainly no group
            node = self._resolve(self._value(group))
            if isinstance(node, ast.Tuple) and len(node.elts) == 2:
                node = self._resolve(node.elts[0])
            yield from self._in_list(node, host)

    def _in_list(self, node: ast.expr | None, host: str) -> Iterator[Entry | None]:
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            yield from self._in_list(self._resolve(node.left), host)
            yield from self._in_list(self._resolve(node.right), host)
        elif isinstance(node, ast.List):
            for element in node.elts:
                item = self._resolve(element)
                if isinstance(item, ast.Tuple) and len(item.elts) == 2:
                    name = self._resolve(item.elts[0])
                    if not isinstance(name, ast.Constant):
                        yield None
                    elif name.value == host:
                        yield Entry(item.lineno, self._dictionary(item.elts[1]))
                elif not isinstance(item, ast.Constant):
                    yield None
                elif item.value == host:
                    yield Entry(item.lineno, {})
        elif not isinstance(node, ast.Constant | ast.Dict):  # those are no groups
            yield None

    def _last(self, name: str) -> ast.stmt:
        return [statement for statement in self.tree.body if name in _bound(statement)][-1]

    def _value(self, name: str) -> ast.expr | None:
        statement = self.statement(name)
        return None if statement is None else _assigned(statement, name)

    def _resolve(self, node: ast.expr | None) -> ast.expr | None:
        """Follow names to what they certainly are."""
        for _ in range(9):
            if not isinstance(node, ast.Name):
                return node
            node = self._value(node.id)
        return None

    def _dictionary(self, node: ast.expr) -> Lines | None:
        found = self._resolve(node)
        if isinstance(found, ast.BinOp) and isinstance(found.op, ast.BitOr):
            left, right = self._dictionary(found.left), self._dictionary(found.right)
            return None if left is None or right is None else left | right
        if not isinstance(found, ast.Dict):
            return None
        lines: Lines = {}
        for key, value in zip(found.keys, found.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                lines[key.value] = (key.lineno, value)
                continue
            more = None if key is not None else self._dictionary(value)
            # Keys of a spread that cannot be followed may replace all that came before.
            lines |= dict.fromkeys([*lines, ""]) if more is None else more
        return lines


def _line(lines: Lines | None, key: str, value: Any) -> int | None:
    place = (lines or {}).get(key)
    return None if place is None or _differs(place[1], value) else place[0]


def _assigned(statement: ast.stmt, name: str) -> ast.expr | None:
    """Return what a simple assignment gives to NAME."""
    if isinstance(statement, ast.AnnAssign):
        return statement.value
    if not isinstance(statement, ast.Assign):
        return None
    named = any(isinstance(target, ast.Name) and target.id == name for target in statement.targets)
    return statement.value if named else None


def _differs(expression: ast.expr, value: Any) -> bool:
    if value is UNKNOWN:
        return False
    try:
        return bool(ast.literal_eval(expression) != value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False  # no literal: it cannot be compared


@cache
def _bound(statement: ast.stmt) -> frozenset[str]:
    """Return the names that STATEMENT binds or deletes in the module, itself or within; ``*`` for a star import."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
            return  # its own names are not the module's; `global` is looked for apart
        if isinstance(node, ast.Lambda):
            return
        if isinstance(node, ast.comprehension):  # its target is its own
            for part in (node.iter, *node.ifs):
                visit(part)
            return
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            found.add(node.id)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            found.add(node.name)
        for child in ast.iter_child_nodes(node):
            visit(child)

    if isinstance(statement, ast.AnnAssign) and statement.value is None:
        return frozenset()
    visit(statement)
    return frozenset(found)
