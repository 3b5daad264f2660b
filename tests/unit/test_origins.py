"""Which value is in force, and where it stands: against a model that is independent of both, for made-up data files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from settings.data_files import files_of
from settings.loading import load
from settings.origin import Origin
from settings.sources import HostSource, Layer, Level, Value, from_inventory
from settings.trees import UNKNOWN, DataFile

# --- levels: no files, only layers ------------------------------------------------------------------------------------

NAMES = ("redis_port", "solr_heap", "ckan_options", "ssh_port", "_helper", "no_setting")
VALUES = st.one_of(
    st.integers(0, 3), st.booleans(), st.sampled_from(["", "a", "b"]), st.lists(st.integers(0, 1), max_size=1)
)
LAYERS = st.lists(st.tuples(st.sampled_from(Level), st.dictionaries(st.sampled_from(NAMES), VALUES)), max_size=6)


def layers(drawn: list[tuple[Level, dict[str, Any]]]) -> tuple[Layer, ...]:
    return tuple(
        Layer(level, f"group g{number}", values, {name: Origin("file", f"f{number}.py", 1) for name in values})
        for number, (level, values) in enumerate(drawn)
    )


def written(value: Any) -> str:
    return repr(value)  # True is not 1 here


@given(LAYERS)
def test_the_strongest_level_decides(drawn: list[tuple[Level, dict[str, Any]]]) -> None:
    values, problems = HostSource((), layers(drawn)).pick()
    assert set(values) == {name for _, some in drawn for name in some}
    disagreed = set()
    for name, value in values.items():
        strongest = min(level for level, some in drawn if name in some)
        candidates = {
            number: some[name] for number, (level, some) in enumerate(drawn) if level == strongest and name in some
        }
        number = int(value.origin.place[1:-3])
        assert number in candidates
        assert written(value.value) == written(candidates[number])
        if len(set(map(written, candidates.values()))) > 1 and name not in ("_helper", "no_setting"):
            disagreed.add(name)
    assert {problem.names[0] for problem in problems if "make them equal" in problem.says} == disagreed
    for problem in problems:
        if "make them equal" in problem.says:
            assert str(problem.where) in str(problem) and problem.says.count(".py:1") == 1  # and the other place


def test_true_is_not_one() -> None:
    drawn: list[tuple[Level, dict[str, Any]]] = [(Level.ROLE, {"redis_port": True}), (Level.ROLE, {"redis_port": 1})]
    assert len(HostSource((), layers(drawn)).pick()[1]) == 1


# --- files: what pyinfra reads, and the lines that were written -------------------------------------------------------

PLACES = ("host", "environment", "portal", "redis", "all")
SETTINGS = ("redis_port", "solr_port", "uwsgi_port")


@dataclass
class Written:
    """What the model knows: values by place and name, and their lines; None for a line that must not be told."""

    values: dict[tuple[str, str], int] = field(default_factory=dict)
    lines: dict[tuple[str, str], int | None] = field(default_factory=dict)


# How an assignment may be written: lines, and which of them (from 0) is its own; None where that cannot be certain.
FORMS = {
    "plain": (["{n} = {v}"], 0),
    "after another": (["{n} = 1", "# a comment", "{n} = {v}"], 2),
    "annotated": (["{n}: int = {v}"], 0),
    "over lines": (["{n} = (", "    {v}", ")"], 0),
    "in a tuple": (["{n}, _x = {v}, 1"], 0),
    "several at once": (["_y = {n} = {v}"], 0),
    "added to": (["{n} = 1", "{n} += {v} - 1"], 1),
    "in a condition": (["if True:", "    {n} = {v}"], None),
    "in a loop": (["for {n} in ({v},):", "    pass"], None),
    "tried": (["{n} = 1", "try:", "    {n} = {v}", "finally:", "    pass"], None),
    "condition before": (["if True:", "    {n} = 1", "{n} = {v}"], 2),
    "by a function": (["def _set() -> None:", "    global {n}", "    {n} = {v}", "_set()"], None),
    "by a trick": (["globals()['{n}'] = {v}"], None),
}
HOST_FORMS = ("inline", "by name", "spread", "merged", "comprehension", "changed later", "in two groups")


@st.composite
def checkouts(draw: st.DrawFn) -> tuple[dict[str, str], Written]:
    """Draw the texts of an inventory and group data, and what the model says of them."""
    found, files = Written(), {}
    for place, file in (("environment", "site"), ("portal", "portal"), ("redis", "redis"), ("all", "all")):
        lines = ['"""Data."""', ""]
        tricks = False
        for name in draw(st.lists(st.sampled_from(SETTINGS), unique=True)):
            # Both role groups say the same: disagreement is another test's.
            value = draw(st.integers(2000, 9000)) if place not in ("portal", "redis") else 3000
            form = draw(st.sampled_from(sorted(FORMS)))
            template, own = FORMS[form]
            tricks = tricks or form == "by a trick"
            found.values[place, name] = value
            found.lines[place, name] = None if own is None else len(lines) + own + 1
            lines += [line.format(n=name, v=value) for line in template]
        if tricks:  # then no line of this file is certain
            found.lines |= {key: None for key in found.lines if key[0] == place}
        files[f"group_data/{file}.py"] = "\n".join(lines) + "\n"
    host = {name: draw(st.integers(2000, 9000)) for name in draw(st.lists(st.sampled_from(SETTINGS), unique=True))}
    files["inventory/site.py"] = _inventory(draw(st.sampled_from(HOST_FORMS)), host, found)
    return files, found


def _inventory(form: str, own: dict[str, int], found: Written) -> str:
    """Write a host with its OWN data in some FORM, and tell the model."""
    lines = ['"""Hosts."""', ""]
    rows = [f'    "{name}": {value},' for name, value in own.items()]
    certain = True
    if form == "inline":
        lines += ['portal = [("data", {', *rows, "})]"]
        first = 4
    elif form == "by name":
        lines += ['_HOST = ("data", {', *rows, "})", "portal = [_HOST]"]
        first = 4
    elif form == "spread":
        lines += ["_MORE = {", *rows, "}", 'portal = [("data", {"solr_port": 1, **_MORE})]']
        first = 4
    elif form == "merged":
        lines += ["_MORE = {", *rows, "}", 'portal = [("data", {"solr_port": 1} | _MORE)]']
        first = 4
    elif form == "comprehension":
        lines += ["_MORE = {", *rows, "}", 'portal = [(name, {**_MORE}) for name in ("data",)]']
        first, certain = 4, False
    elif form == "changed later":
        lines += ["_MORE = {", *(f'    "{name}": 1,' for name in own), "}", "_MORE.update({", *rows, "})"]
        lines += ['portal = [("data", _MORE)]']
        first, certain = 4, False
    else:
        lines += [
            'solr = [("data", {"redis_port": 1, "solr_port": 1, "uwsgi_port": 1})]',
            'portal = [("data", {',
            *rows,
            "})]",
        ]
        first = 5
    defaults = {"spread": {"solr_port": (1, len(lines))}, "merged": {"solr_port": (1, len(lines))}}.get(form, {})
    if form == "in two groups":
        defaults = dict.fromkeys(SETTINGS, (1, 3))
    for name, (value, line) in defaults.items():
        found.values["host", name], found.lines["host", name] = value, line
    for number, (name, value) in enumerate(own.items()):
        found.values["host", name] = value
        found.lines["host", name] = first + number if certain else None
    return "\n".join([*lines, 'redis = ["data"]']) + "\n"


@contextmanager
def within(files: dict[str, str]) -> Iterator[None]:
    before = Path.cwd()
    with TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def read(data: dict[str, Any]) -> dict[str, Value]:
    # pyinfra keeps compiled files by name: another name for each example.
    place = files_of("inventory/site.py")
    inventory = load("inventory/site.py", place, data)
    return from_inventory(inventory, place)["data"].pick()[0]


@settings(max_examples=150, deadline=None)
@given(checkouts(), st.dictionaries(st.sampled_from(SETTINGS), st.integers(2000, 9000)))
def test_each_value_has_its_level_and_its_line(drawn: tuple[dict[str, str], Written], data: dict[str, int]) -> None:
    files, model = drawn
    with within(files):
        _forget()
        values = read(data)
    file = {"host": "inventory/site.py", "environment": "group_data/site.py"}
    for name in SETTINGS:
        places = [place for place in PLACES if (place, name) in model.values]
        if name in data:
            assert (values[name].value, str(values[name].origin)) == (data[name], "--data")
        elif not places:
            assert name not in values
        else:
            value = values[name]
            assert value.value == model.values[places[0], name]
            # Of two role groups, which agree, either may be named.
            equals = [place for place in places if {place, places[0]} <= {"portal", "redis"}] or places[:1]
            assert (value.origin.place, value.origin.line) in [
                (file.get(place, f"group_data/{place}.py"), model.lines[place, name]) for place in equals
            ]


def _forget() -> None:
    """Have pyinfra forget what it compiled: it knows files by their names only."""
    from pyinfra_cli.util import PYTHON_CODES

    PYTHON_CODES.clear()


# --- trees: single cases ----------------------------------------------------------------------------------------------


def tree(tmp_path: Path, text: str) -> DataFile:
    (tmp_path / "x.py").write_text(text)
    return DataFile(tmp_path / "x.py")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = 1\n", 1),
        ("a = 2\n", None),  # not what is in force: something else made it
        ("a = int('1')\n", 1),
        ("a = 1\ndel a\n", None),
        ("from b import a\n", None),
        ("a = 1\nfrom b import *\n", None),
        ("from b import *\na = 1\n", 2),
        ("[a := n for n in (1,)]\n", None),
        ("[a for a in (2,)]\na = 1\n", 2),
        ("a = 1\n[a for a in (2,)]\n", 1),
        ("def f():\n    a = 2\na = 1\n", 3),
        ("a = 1\nwith b as a:\n    pass\n", None),
        ("a = 1\na: int\n", 1),
        ("a = 1\nx = lambda: exec('a = 1')\n", None),
    ],
)
def test_the_line_of_a_name(text: str, line: int | None, tmp_path: Path) -> None:
    assert tree(tmp_path, text).line("a", 1) == line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('g = [("h", {"k": 1})]', 1),
        ('g = [("h", {"k": 1})] + [("i", {"k": 1})]', 1),
        ('g = ([("h", {"k": 1})], {"k": 2})', 1),
        ('g = [("h", {"k": 2})]\nf = [("h",\n {"k": 1})]', 3),
        ('all = [("h", {"k": 1})]\ng = [("h", {"k": 2})]', 1),  # pyinfra takes `all` last
        ('g = [("h", {"k": 1})]\nf = made()', None),  # which may have the host, too
        ('g = [("h", {"k": 1}), *more]', None),
        ('g = [("h", {"k": 1, **more})]', None),
        ('g = [("h", {**more, "k": 1})]', 1),
        ('g = [("h", {"k": 1, name: 2})]', None),
        ('_g = [("h", {"k": 1})]', None),  # no group
        ('def helper(): pass\nimport os\ng = [("h", {"k": 1})]', 3),
        ("g = [h]\n_h = 1", None),
    ],
)
def test_the_line_of_a_host_s_data(text: str, line: int | None, tmp_path: Path) -> None:
    assert tree(tmp_path, text).host_data_line("h", "k", 1) == line


def test_the_lines_of_hosts_and_groups(tmp_path: Path) -> None:
    found = tree(tmp_path, '_A = (\n "a", {})\ng = [_A, "b"]\nh = (["a"], {"k": 1,\n"l": 2})\n')
    assert (found.host_line("a"), found.host_line("b"), found.host_line("c")) == (1, 3, None)
    assert found.line("g", UNKNOWN) == 3
    assert (found.group_data_line("h", "l", 2), found.group_data_line("g", "l", 2)) == (5, None)
