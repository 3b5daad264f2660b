"""The complete list of what root does to files by their path, and why nobody else can lay a link on that path.

Found in everything that is sent to hosts: each command that changes a file, its owner or its mode, and each redirect.
It must name things from a folder that was entered (``operations/within.py``), or stand in ``root_writes.LISTED``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.root_writes import LISTED

ROOT = Path(__file__).resolve().parents[2]

_WORDS = "chown|chmod|cp|mv|ln|install|tar|touch|tee|rsync|mkdir|mkfifo|mknod|dd|truncate|rm|rmdir|unlink|shred|setfacl"
_SHELL = re.compile(rf"""(?<![\w./$-])(?:{_WORDS}|find|sed -i)(?![\w-])(?:"[^"]*"|'[^'\n]*'|[^;&|\n"'])*""")
_REDIRECT = re.compile(r"""(?<![<>&\d=%-])>{1,2}\s*(?:"[^"\n]*"|'[^'\n]*'|[^\s;&|)"'<]+)""")
_PYTHON = re.compile(
    r"\b(?:os\.(?:l?chown|l?chmod|rename|replace|remove|unlink|link|symlink|mkdir|makedirs|truncate)|shutil\.\w+)"
    r"\((?:[^()\n]|\([^()\n]*\))*\)|\bopen\([^()\n]*,\s*[\"'][^\"']*[wax+][^\"']*[\"'](?:[^()\n])*\)"
)
_FIND_THAT_ACTS = re.compile(r"-(?:exec|execdir|delete|ok|fprint)\b")
# A name without a way to it, or through "..", which is where the working folder was made.
_NEAR = re.compile(r"""\.|file|link|"?(?:\./|\.\./)[^/]+"?|if="?(?:\./|\.\./)[^/]*(?:##\*/)?\}?"?|of=file""")
_NO_FILE = ("/dev/null", "2>&1")


def _of_modules() -> Iterator[tuple[str, str]]:
    """Yield each string of the product's modules that could be sent, and programs that are."""
    for folder in ("operations", "facts", "deploys", "tasks"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            name, source = str(path.relative_to(ROOT)), path.read_text()
            if path.stem.endswith("_host") and folder == "tasks":
                yield name, source
                continue
            tree = ast.parse(source)
            documentation = {
                id(node.body[0].value)
                for node in ast.walk(tree)
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
                and node.body
                and isinstance(node.body[0], ast.Expr)
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                    yield name, node.value
    for path in sorted(path for path in (ROOT / "templates").rglob("*.j2") if ".xml" not in path.suffixes):
        yield str(path.relative_to(ROOT)), path.read_text()


def commands(text: str, *, entered: bool) -> list[str]:
    """Return what TEXT, part of a script, does to files; ENTERED: from the folder that it went to."""
    code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found = [
        match[0] if pattern is _PYTHON else " ".join(match[0].split()).rstrip(" )}\\`")
        for pattern in (_SHELL, _REDIRECT, _PYTHON)
        for match in pattern.finditer(code)
    ]
    return [command for command in dict.fromkeys(found) if not _harmless(command, entered)]


def _harmless(command: str, entered: bool) -> bool:
    if command.startswith("find") and not _FIND_THAT_ACTS.search(command):
        return True
    if command.startswith(">"):
        target = command.lstrip("> ").strip("\"'")
        return target in _NO_FILE or (entered and target == "file")
    operands = [word for word in re.findall(r'(?:"(?:\$\([^)]*\)|[^"])*"|\S)+', command)[1:] if word != "--"]
    operands = [word for word in operands if not word.startswith("-")]
    if command.startswith(("chown", "chmod")):
        operands = operands[1:]
    if command.startswith(("mkdir -m", "ln -s")):
        operands = operands[1:]
    if command.startswith("dd"):
        operands = [word for word in operands if word.startswith(("if=", "of="))]
    return entered and bool(operands) and all(_NEAR.fullmatch(word) for word in operands)


def all_of_them() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, text in _of_modules():
        path = ROOT / name
        entered = "ENTER" in path.read_text() if path.suffix == ".py" else False
        for command in commands(text, entered=entered):
            found.setdefault(name, []).append(command)
    return {name: list(dict.fromkeys(of)) for name, of in found.items()}


def test_root_changes_by_path_only_what_is_listed() -> None:
    listed = {name: [one for of in reasons.values() for one in of] for name, reasons in LISTED.items()}
    found = all_of_them()
    news = {name: sorted(set(of) - set(listed.get(name, ()))) for name, of in found.items()}
    assert {name: of for name, of in news.items() if of} == {}, (
        "enter the folder (operations/within.py), or say why not"
    )
    gone = {name: sorted(set(of) - set(found.get(name, ()))) for name, of in listed.items()}
    assert {name: of for name, of in gone.items() if of} == {}, "these are gone: take them off the list"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('set -e; chown "$2" "$1"; chmod 0644 "$1"', ['chown "$2" "$1"', 'chmod 0644 "$1"']),
        ("chown www-data /var/log/ckan/x.log", ["chown www-data /var/log/ckan/x.log"]),
        ('enter "$1"; chown "$2" "./$1/below"', ['chown "$2" "./$1/below"']),
        ('for f in *; do mv "$f" "$f.old"; done', ['mv "$f" "$f.old"']),
        ('find "$1" -type f -exec chown www-data {} +', ['find "$1" -type f -exec chown www-data {} +']),
        ('find "$1" -delete', ['find "$1" -delete']),
        ('printf x > "$1"', ['> "$1"']),
        ('cat >> "$dest/x"', ['>> "$dest/x"']),
        (": > /var/log/ckan/x", ["> /var/log/ckan/x"]),
        ("install -o www-data x /srv/y", ["install -o www-data x /srv/y"]),
        ("tar -xf x -C /srv", ["tar -xf x -C /srv"]),
        ("sed -i s/a/b/ /etc/x", ["sed -i s/a/b/ /etc/x"]),
        ("os.chown(path, 33, 33)", ["os.chown(path, 33, 33)"]),
        ('with open(path, "w") as file:', ['open(path, "w")']),
        ("shutil.copy(a, b)", ["shutil.copy(a, b)"]),
    ],
)
def test_what_may_follow_a_link_is_found(text: str, found: list[str]) -> None:
    assert [one for one in commands(text, entered=True) if one in found] == found


@pytest.mark.parametrize(
    "text",
    [
        'enter "$1"; chown "$2" .; chmod "$3" .',
        'chown "$owner" file; chmod "$mode" file; mv -fT file "../$name"',
        'rm -rf "./$new" "./$new.old"',
        'mkdir -m 0700 "./$name"',
        "find . -name x -print; cat x >/dev/null 2>&1",
    ],
)
def test_what_cannot_is_not(text: str) -> None:
    assert commands(text, entered=True) == []
