"""The rules of the house that no tool checks: who imports whom, what stands in deploys/, locks, names and sizes."""

from __future__ import annotations

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from packaging.version import Version

from operations.python import locked_versions
from settings.releases import RELEASES

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = {
    "config",
    "deploy",
    "deploys",
    "facts",
    "group_data",
    "inventory",
    "lab",
    "operations",
    "pyinfra_adapter",
    "settings",
    "tasks",
}
# From top to bottom, never upwards.
MAY_IMPORT = {
    "config": {"pyinfra_adapter", "settings"},
    "deploy": {"deploys", "operations", "facts", "settings"},
    "deploys": {"deploys", "operations", "facts", "settings"},
    "facts": {"facts"},
    "group_data": set(),
    "inventory": {"lab"},
    "lab": {"lab"},
    "operations": {"operations", "facts", "pyinfra_adapter"},
    "pyinfra_adapter": {"pyinfra_adapter"},
    "settings": {"pyinfra_adapter", "settings"},
    "tasks": {"tasks", "deploys", "operations", "facts", "pyinfra_adapter", "settings"},
}
LONGEST = 250
TOO_LONG: set[str] = set()  # may shrink only


def tracked() -> list[Path]:
    """Return the files of the repository: those that git knows or would take."""
    result = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return [ROOT / name for name in result.stdout.split("\0") if name and (ROOT / name).is_file()]


def modules(*folders: str) -> list[Path]:
    """Return the Python files in FOLDERS, or of the whole product and the lab."""
    wanted = folders or tuple(sorted(OURS))
    return [p for p in tracked() if p.suffix == ".py" and p.relative_to(ROOT).parts[0].removesuffix(".py") in wanted]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def upwards(room: str, source: str) -> list[str]:
    """Return the imports in SOURCE that a module of ROOM may not have."""
    found = {module for module in imports(ast.parse(source)) if module.partition(".")[0] in OURS}
    return sorted(module for module in found if module.partition(".")[0] not in MAY_IMPORT[room])


def offences(source: str) -> list[str]:
    """Return what stands in the SOURCE of a deploy and may not."""
    tree = ast.parse(source)
    found = [
        f"import {m}" for m in imports(tree) if m.partition(".")[0] in {"datetime", "random", "secrets", "time", "uuid"}
    ]
    operations = {
        alias.asname or alias.name: import_module(f"operations.{alias.name}")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "operations"
        for alias in node.names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in {
            "changed", "did_change", "did_not_change", "did_succeed", "will_change", "when",
        }:  # fmt: skip
            found.append(f"line {node.lineno}: .{node.attr}")
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        called = f"{ast.unparse(node.func.value)}.{node.func.attr}"
        if node.func.attr in {"shell", "script", "script_template", "call", "raise_exception", "run_shell_command"}:
            found.append(f"line {node.lineno}: {called}")
        module = operations.get(ast.unparse(node.func.value))
        if module is None or not hasattr(getattr(module, node.func.attr), "_inner"):
            continue
        given = next((keyword.value for keyword in node.keywords if keyword.arg == "name"), None)
        if given is None:
            found.append(f"line {node.lineno}: {called} has no name")
        else:
            text = ast.literal_eval(given) if isinstance(given, ast.Constant) else ast.unparse(given)[2:-1]
            if not re.match(r"[A-Z][a-z]+ \S", text) or text.endswith("."):
                found.append(f"line {node.lineno}: the name {text!r} is not a verb and its object")
    return found


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_imports_go_downwards(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0].removesuffix(".py")
    assert upwards(room, path.read_text()) == []


@pytest.mark.parametrize(
    ("room", "source", "bad"),
    [
        ("facts", "from operations import files", ["operations", "operations.files"]),
        ("operations", "def f():\n    import settings.base", ["settings.base"]),
        ("operations", "from deploys.ckan import INI", ["deploys.ckan", "deploys.ckan.INI"]),
        ("settings", "from facts.host import Basics", ["facts.host", "facts.host.Basics"]),
        ("lab", "from settings import releases", ["settings", "settings.releases"]),
        ("deploys", "from deploy import settings", ["deploy", "deploy.settings"]),
        ("deploys", "from operations import files; from pyinfra.operations import server", []),
    ],
)
def test_an_import_upwards_is_found(room: str, source: str, bad: list[str]) -> None:
    assert upwards(room, source) == bad


@pytest.mark.parametrize("path", modules("deploys", "deploy"), ids=name_of)
def test_deploys_read_like_lists(path: Path) -> None:
    assert offences(path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "from pyinfra.operations import server\nserver.shell(name='Do it', commands=['x'])",
        "from pyinfra.operations import python as p\np.call(name='Do it', function=f)",
        "from operations import files\nfiles.absent(path='/x')",
        "from operations import files as f\nf.absent(path='/x')",
        "from operations import files\nfiles.absent(name='remove the file.', path='/x')",
        "from operations import files\nfiles.absent(name='Remove', path='/x')",
        "from operations import files\nfor x in 'ab':\n    files.absent(name=f'{x} is removed', path=x)",
        "x = files.absent(name='Remove the file', path='/x')\nif x.changed:\n    pass",
        "service.follow(name='Run it', _if=x.did_change)",
        "if x.will_change: pass",
        "import random",
        "from datetime import datetime\ndatetime.now()",
        "with host.when(x): pass",
    ],
)
def test_an_offence_in_a_deploy_is_found(source: str) -> None:
    assert offences(source)


def test_facts_are_read_in_preflight_only() -> None:
    """And in the checks that it makes: decisions on the host's state live inside operations."""
    readers = {name_of(path) for path in modules("deploys", "deploy") if "get_fact" in path.read_text()}
    assert "deploys/preflight.py" in readers
    assert {name for name in readers if not name.startswith("deploys/checks/")} == {"deploys/preflight.py"}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_modules_are_short(path: Path, request: pytest.FixtureRequest) -> None:
    if name_of(path) in TOO_LONG:
        request.applymarker(pytest.mark.xfail(strict=True, reason="to be split"))
    assert len(path.read_text().splitlines()) <= LONGEST


def test_templates_hold_nothing_random() -> None:
    paths = sorted((ROOT / "templates").rglob("*.j2"))
    assert ROOT / "templates/redis/redis.conf.j2" in paths
    for path in paths:
        code = " ".join(re.findall(r"\{[{%].*?[%}]\}", path.read_text(), re.DOTALL))
        assert not re.search(r"\b(random|shuffle|lipsum|now|time)\b", code), path


# --- Solr in the lab is a stand-in that covers what is used of it, and nothing else -----------------------------------


def uncovered(include: str, unit: str) -> list[str]:
    """Return what solr.in.sh (INCLUDE) and solr.service (UNIT) use of bin/solr that the lab's Solr does not cover."""
    covered = json.loads((ROOT / "lab/solr/covered.json").read_text())
    found = []
    for line in re.sub(r"\{[%#].*?[%#]\}", "", include, flags=re.DOTALL).splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = re.fullmatch(r"""\s*(?:export )?([A-Za-z_]\w*)=("[^"]*"|'[^']*'|[^\s;&|]*|\{\{.*\}\}\S*)""", line)
        if match is None:
            found.append(f"not a plain variable: {line}")
        elif match[1] not in covered["include_variables"]:
            found.append(f"variable {match[1]}")
    for key, value in re.findall(r"^(Environment|EnvironmentFile|Exec\w+)=(.*)$", unit, re.MULTILINE):
        if key.startswith("Environment"):
            names = re.findall(r"(\w+)=", value) if key == "Environment" else [f"{key}={value}"]
            found += [f"environment {name}" for name in names if name not in covered["environment_variables"]]
        elif "bin/solr" in value:
            command = value.partition("bin/solr")[2].strip()
            if command not in covered["commands"]:
                found.append(f"command {command}")
    return found


def solr_templates() -> tuple[str, str]:
    folder = ROOT / "templates/solr"
    return (folder / "solr.in.sh.j2").read_text(), (folder / "solr.service.j2").read_text()


def test_what_is_used_of_solr_is_covered_in_the_lab() -> None:
    assert uncovered(*solr_templates()) == []


@pytest.mark.parametrize(
    ("include", "unit", "bad"),
    [
        ("SOLR_JAVA_STACK_SIZE=-Xss256k", "", "variable SOLR_JAVA_STACK_SIZE"),
        ("export ZK_HOST=x", "", "variable ZK_HOST"),
        ('GC_TUNE="-XX:+UseG1GC -XX:x=1"', "", "variable GC_TUNE"),
        ("{% if x %}\nSOLR_AUTH_TYPE={{ y }}\n{% endif %}", "", "variable SOLR_AUTH_TYPE"),
        (": ${SOLR_PORT:=1}", "", "not a plain variable: : ${SOLR_PORT:=1}"),
        ("SOLR_PORT=1; SOLR_X=2", "", "not a plain variable: SOLR_PORT=1; SOLR_X=2"),
        ("", "Environment=SOLR_JAVA_MEM=-Xms1g", "environment SOLR_JAVA_MEM"),
        ("", 'Environment="SOLR_INCLUDE=/x" "SOLR_ULIMIT_CHECKS=false"', "environment SOLR_ULIMIT_CHECKS"),
        ("", "EnvironmentFile=/etc/default/solr", "environment EnvironmentFile=/etc/default/solr"),
        ("", "ExecStart=/opt/solr/bin/solr start -f -p 8983", "command start -f -p 8983"),
        ("", "ExecStop=/opt/solr/bin/solr stop", "command stop"),
    ],
)
def test_what_is_not_covered_is_found(include: str, unit: str, bad: str) -> None:
    own_include, own_unit = solr_templates()
    assert uncovered(f"{own_include}\n{include}\n", f"{own_unit}\n{unit}\n") == [bad]


def test_the_stand_in_covers_what_its_list_says() -> None:
    covered = json.loads((ROOT / "lab/solr/covered.json").read_text())
    match = re.search(r'^covered_variables="([^"]*)"', (ROOT / "lab/solr/bin/solr").read_text(), re.MULTILINE)
    assert match and match[1].split() == covered["include_variables"]


# --- locks ------------------------------------------------------------------------------------------------------------

LOCKS = sorted((ROOT / "locks").glob("ckan-py*.txt"))


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_locks_hold_one_ckan(path: Path) -> None:
    versions = locked_versions(path.read_text())  # refuses what is not pinned with a hash
    schema = json.loads((ROOT / "locks/ckan-schema.json").read_text())
    assert versions["ckan"] == schema["version"]
    assert schema["requirement"].startswith(f"ckan=={schema['version']} --hash=sha256:")
    assert all(word in path.read_text() for word in re.findall(r"sha256:[0-9a-f]{64}", schema["requirement"]))
    assert Version(versions["setuptools"]) < Version("82")  # the last with pkg_resources, which CKAN imports
    assert {"pip", "setuptools", "wheel"} <= set(versions)  # every tool that builds a package, too


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_locks_hold_no_markers(path: Path) -> None:
    """A marker would be evaluated on the controller, whose Python may be another."""
    assert ";" not in path.read_text()


def test_every_supported_release_has_a_lock() -> None:
    assert {f"ckan-py{release.python}.txt" for release in RELEASES.values()} == {path.name for path in LOCKS}


# --- the repository ---------------------------------------------------------------------------------------------------

# Written in two parts, so that this file does not find itself.
REGISTRIES = re.compile(
    r"\b(" + "|".join([
        r"pypi\." + "org", r"pythonhosted\." + "org", r"repo1?\.maven\." + r"(apache\.)?org",
        r"registry\.npmjs\." + "org", r"crates\." + "io", r"rubygems\." + "org", r"proxy\.golang\." + "org",
        r"(registry-1\.)?docker\." + "io", r"ghcr\." + "io", r"quay\." + "io",
    ]) + r")\b"
)  # fmt: skip
HERE = re.compile(r"(?<![\w$.}/-])/" + "work/")


@pytest.mark.parametrize("path", tracked(), ids=name_of)
def test_no_registry_and_no_path_of_one_machine(path: Path) -> None:
    """Where packages come from is the controller's and the host's own configuration."""
    text = path.read_bytes().decode(errors="replace")
    assert not REGISTRIES.search(text)
    assert not HERE.search(text)


def test_secrets_and_state_are_not_tracked() -> None:
    assert "/secrets/" in (ROOT / ".gitignore").read_text().splitlines()
    assert not [path for path in tracked() if path.relative_to(ROOT).parts[0] == "secrets"]
