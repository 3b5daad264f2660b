"""Python environments from locks: real ones, of small packages."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api import OperationValueError

from operations import python, wheel
from operations.python import locked_versions
from tests.unit.converge import apply, changed, mode, shim

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="builders lock each other out below /run")

# Pure Python wheels of PyPI; fetched once and kept in pytest's cache.
WHEELS = {
    "iniconfig==2.1.0": "9deba5723312380e77435581c6bf4935c94cbfab9b1ed33ef8d238ea168eb760",
    "six==1.16.0": "8abb2f1d86890a2dfb989f9a77cfcfd3e47c2a354b01111771326f8aa26e0254",
    "six==1.17.0": "4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274",
}


def line(requirement: str, sha256: str = "") -> str:
    return f"{requirement} --hash=sha256:{sha256 or WHEELS[requirement]}\n"


@pytest.fixture(scope="session")
def empty_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a new environment, of which the tests take copies: making one takes seconds."""
    path = tmp_path_factory.mktemp("venv") / "empty"
    subprocess.run(["python3", "-m", "venv", path], check=True)
    return path


@pytest.fixture
def tools(empty_environment: Path) -> str:
    """Return the lines of a lock for what is in every new environment (pip, and up to Python 3.11 setuptools)."""
    code = "import importlib.metadata as m; [print(f'{d.name}=={d.version}') for d in m.distributions()]"
    result = subprocess.run([empty_environment / "bin/python", "-I", "-c", code], capture_output=True, text=True)
    return "".join(line(requirement, "1" * 64) for requirement in result.stdout.splitlines())


@pytest.fixture
def wheels(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    shims: Path,
    empty_environment: Path,
) -> Path:
    """Make pip find what the locks name, and nothing else; and ``python3 -m venv`` fast."""
    empty = empty_environment
    shim(
        shims,
        "python3",
        f"""if [ "$1 $2" != "-m venv" ]; then exec "$REAL" "$@"; fi
mkdir -p "$(dirname "$3")"; cp -a {empty} "$3"; sed -i "s#{empty}#$3#" "$3"/bin/pip* "$3"/bin/activate*""",
    )
    monkeypatch.setenv("PIP_NO_COMPILE", "1")
    assert request.config.cache is not None
    folder = request.config.cache.mkdir("wheels")
    for requirement, sha256 in WHEELS.items():
        if any(hashlib.sha256(path.read_bytes()).hexdigest() == sha256 for path in folder.glob("*.whl")):
            continue
        (tmp_path / "wheel.txt").write_text(line(requirement))
        pip = [sys.executable, "-m", "pip", "-q", "download", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
        subprocess.run([*pip, "-r", tmp_path / "wheel.txt", "-d", folder], check=True)
        (tmp_path / "wheel.txt").unlink()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return folder


@pytest.fixture
def path(wheels: Path, tmp_path: Path) -> Iterator[Path]:
    name = f"test-{os.getpid()}"
    yield tmp_path / "lib" / name
    Path(f"/run/ckan-deploy/{name}.lock").unlink(missing_ok=True)


def site(path: Path) -> Path:
    (found,) = path.glob("lib/python3*/site-packages")
    return found


def names(folder: Path) -> list[str]:
    return sorted(entry.name.removeprefix(f"test-{os.getpid()}") for entry in folder.iterdir())


@needs_root
def test_environment(path: Path, tools: str) -> None:
    """One environment's life; each build takes seconds, so this is one test."""
    old, new = tools + line("six==1.16.0"), tools + line("six==1.17.0") + line("iniconfig==2.1.0")
    assert changed(python.environment, path=str(path), lock=old)
    assert os.readlink(path) == f"{path.name}.a"  # noqa: PTH115
    assert names(path.parent) == ["", ".a"]
    assert names(path) == [
        n for n in ("bin", "ckan-deploy.lock", "include", "lib", "lib64", "pyvenv.cfg") if (path / n).exists()
    ]

    # Each kind of drift is noticed; a comment or another order in the lock is none.
    assert not apply(python.environment, path=str(path), lock="# comment\n\n" + old, dry=True).predicted
    assert not apply(python.environment, path=str(path), lock="".join(sorted(old.splitlines(True))), dry=True).predicted
    six, gone = site(path) / "six-1.16.0.dist-info", site(path) / "six.gone"
    metadata = (six / "METADATA").read_text()
    (six / "METADATA").write_text(metadata.replace("Version: 1.16.0", "Version: 1.15.0"))
    assert apply(python.environment, path=str(path), lock=old, dry=True).predicted
    (six / "METADATA").write_text(metadata)
    six.rename(gone)
    assert apply(python.environment, path=str(path), lock=old, dry=True).predicted
    gone.rename(six)
    extra = site(path) / "extra-1.0.dist-info"
    extra.mkdir()
    (extra / "METADATA").write_text("Metadata-Version: 2.1\nName: extra\nVersion: 1.0\n")
    assert apply(python.environment, path=str(path), lock=old, dry=True).predicted
    assert not apply(python.environment, path=str(path), lock=old, extra=True, dry=True).predicted
    interpreter = (path / "bin/python").readlink()
    (path / "bin/python").unlink()
    (path / "bin/python").symlink_to("/usr/bin/false")
    assert apply(python.environment, path=str(path), lock=old, dry=True).predicted
    (path / "bin/python").unlink()
    (path / "bin/python").symlink_to(interpreter)

    # A wrong hash fails and leaves the old environment in place and working.
    wrong = old.replace(WHEELS["six==1.16.0"], "0" * 64)
    outcome = apply(python.environment, path=str(path), lock=wrong.replace("1.16.0", "1.17.0"))
    assert outcome.predicted
    assert outcome.failed
    assert "HASH" in outcome.output.upper()
    assert os.readlink(path) == f"{path.name}.a"  # noqa: PTH115
    assert extra.is_dir()

    # The drifted environment is built anew in the other slot; what a failed build left there does not matter.
    assert changed(python.environment, path=str(path), lock=new)
    assert os.readlink(path) == f"{path.name}.b"  # noqa: PTH115
    assert not (site(path) / "extra-1.0.dist-info").exists()
    assert (path / "ckan-deploy.lock").read_text() == new
    script = (path / "bin/pip").read_text().splitlines()[0]
    assert re.search(rf"/{re.escape(path.name)}\.b/bin/python[0-9.]*$", script), script

    # The former one is removed, once.
    assert names(path.parent) == ["", ".a", ".b"]
    assert changed(python.former_absent, path=str(path))
    assert names(path.parent) == ["", ".b"]


@needs_root
def test_a_folder_in_place_of_the_link_is_moved_aside(path: Path, tools: str) -> None:
    path.mkdir(parents=True)
    (path / "precious").write_text("kept\n")
    assert changed(python.environment, path=str(path), lock=tools)
    assert path.is_symlink()
    (aside,) = path.parent.glob(f"{path.name}.aside.*")
    assert (aside / "precious").read_text() == "kept\n"


@needs_root
@pytest.mark.parametrize("same", [True, False])
def test_a_builder_whose_controller_died_is_waited_for(same: bool, path: Path) -> None:
    """What it built is taken if it was this very lock."""
    wanted, other = line("six==1.17.0"), line("six==1.16.0")
    Path("/run/ckan-deploy").mkdir(exist_ok=True)
    slot = path.with_name(f"{path.name}.a")
    slot.mkdir(parents=True)
    (slot / "ckan-deploy.lock").write_text(wanted if same else other)
    lock = f"/run/ckan-deploy/{path.name}.lock"
    # It ends when it sees that it is waited for.
    waited_for = f'grep -q -- "-> FLOCK.*:$(stat -c %i {lock}) " /proc/locks'
    finish = (
        f"touch {path}.held; for i in $(seq 600); do {waited_for} && break; sleep 0.1; done; ln -sfn {slot.name} {path}"
    )
    builder = subprocess.Popen(["flock", lock, "sh", "-c", finish])
    while not Path(f"{path}.held").exists():
        assert builder.poll() is None
    outcome = apply(python.environment, path=str(path), lock=wanted)
    assert builder.wait() == 0
    assert outcome.failed is not same
    assert same or f"another run built {path} from another lock; run again" in outcome.output
    assert os.readlink(path) == slot.name  # noqa: PTH115


@needs_root
def test_a_full_disk_is_told_and_the_environment_stays(small_disk: Path) -> None:
    path = small_disk / "env"
    (small_disk / "env.a").mkdir()
    (small_disk / "env.a/precious").write_text("kept\n")
    path.symlink_to("env.a")
    outcome = apply(python.environment, path=str(path), lock=line("six==1.17.0"))
    assert outcome.failed
    assert f"the disk of {small_disk} is full" in outcome.output
    assert (path / "precious").read_text() == "kept\n"
    assert sorted(one.name for one in small_disk.iterdir()) == ["env", "env.a"]


def test_former_absent_keeps_what_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "env"
    for slot in "ab":
        (tmp_path / f"env.{slot}").mkdir()
    path.symlink_to("env.b")
    assert changed(python.former_absent, path=str(path))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["env", "env.b"]


@pytest.mark.parametrize(("tenths", "ends"), [(10, True), (600, False)])
def test_a_program_that_runs_from_the_former_one_gets_a_while_to_end(tmp_path: Path, tenths: int, ends: bool) -> None:
    path, ended = tmp_path / "env", tmp_path / "ended"
    for slot in "ab":
        (tmp_path / f"env.{slot}").mkdir()
    path.symlink_to("env.b")
    shutil.copy("/bin/sh", tmp_path / "env.a/sh")
    count = f"i=0; while [ $i -lt {tenths} ]; do sleep 0.1; i=$((i + 1)); done; echo done > {ended}"
    with subprocess.Popen([tmp_path / "env.a/sh", "-c", count]):
        assert changed(python.former_absent, path=str(path), seconds=4)
    assert ended.exists() == ends
    assert not (tmp_path / "env.a").exists()


def test_member(wheels: Path, tmp_path: Path, owner: dict[str, Any]) -> None:
    (archive,) = wheels.glob("iniconfig-*.whl")
    content = zipfile.ZipFile(archive).read("iniconfig/exceptions.py")
    digest = hashlib.sha256(content).hexdigest()
    dest = tmp_path / "schema.xml"

    def member(sha256: str, requirement: str = line("iniconfig==2.1.0")) -> dict[str, Any]:
        arguments = {"requirement": requirement, "path": "iniconfig/exceptions.py", "dest": str(dest), "mode": 0o640}
        return {**arguments, "sha256": sha256, **owner}

    assert changed(wheel.member, **member(digest))
    assert (dest.read_bytes(), mode(dest)) == (content, 0o640)
    dest.write_text("drift")
    wrong_wheel = apply(wheel.member, **member(digest, line("iniconfig==2.1.0", "0" * 64)))
    assert wrong_wheel.predicted
    assert wrong_wheel.failed
    assert apply(wheel.member, **member("0" * 64)).failed
    assert dest.read_text() == "drift"
    assert changed(wheel.member, **member(digest))
    assert dest.read_bytes() == content
    assert sorted(p.name for p in tmp_path.iterdir()) == ["schema.xml", "shims"]


def test_locked_versions() -> None:
    sha = "a" * 64
    text = f"""\
# a comment
Flask-Babel==4.0.0 \\
    --hash=sha256:{sha} \\
    --hash=sha256:{sha}

ckan[requirements]==2.11.6 --hash=sha256:{sha}
zope.interface==6.1 --hash=sha256:{sha}
never==1 ; python_version < "3" --hash=sha256:{sha}
"""
    assert locked_versions(text) == {"flask-babel": "4.0.0", "ckan": "2.11.6", "zope-interface": "6.1"}
    assert locked_versions("") == {}


@pytest.mark.parametrize("bad", ["six", "six>=1 {}", "six==1.0", "six==1,<2 {}", "six~=1.0 {}"])
def test_an_incomplete_lock_is_refused(bad: str) -> None:
    with pytest.raises(OperationValueError, match="not pinned to one version with a hash"):
        locked_versions(bad.format(f"--hash=sha256:{'a' * 64}") + "\n")


@pytest.mark.parametrize("bad", ["-r other.txt", "--index-url https://x.example", "git+https://x.example/y", "six =="])
def test_what_is_no_requirement_is_refused(bad: str) -> None:
    with pytest.raises(OperationValueError, match="not pinned to one version with a hash"):
        locked_versions(f"{bad} --hash=sha256:{'a' * 64}\n")


# A build backend that needs nothing: for an editable package it makes a wheel with a path to the folder.
BACKEND = """\
import pathlib, zipfile
def get_requires_for_build_editable(config=None):
    return []
def build_editable(wheels, config=None, metadata=None):
    info = "demo-1.0.dist-info"
    with zipfile.ZipFile(pathlib.Path(wheels, "demo-1.0-py3-none-any.whl"), "w") as wheel:
        wheel.writestr("demo.pth", str(pathlib.Path.cwd()) + "\\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "".join(f"{n},,\\n" for n in wheel.namelist()))
    return "demo-1.0-py3-none-any.whl"
"""


@needs_root
def test_editable(path: Path, tools: str, tmp_path: Path) -> None:
    """A package that is installed from a folder; each build takes seconds, so this is one test."""
    folder = tmp_path / "repos/demo"
    folder.mkdir(parents=True)
    project = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    (folder / "pyproject.toml").write_text(project + '[project]\nname = "demo"\nversion = "1.0"\n')
    (folder / "backend.py").write_text(BACKEND)
    (folder / "demo.py").write_text("print('from the folder')")
    arguments: dict[str, Any] = {"path": str(path), "lock": tools, "editable": {"Demo": str(folder)}}

    def predicted(**other: Any) -> bool:
        return bool(apply(python.environment, **{**arguments, **other}, dry=True).predicted)

    assert changed(python.environment, **arguments)
    done = subprocess.run([path / "bin/python", "-I", "-m", "demo"], capture_output=True, text=True)
    assert done.stdout == "from the folder\n"

    # Its code may change, its version too; another description, a move by git.checkout and another folder are noticed.
    (folder / "demo.py").write_text("print('changed')")
    assert not predicted()
    stamp = folder / ".git/ckan-deploy.moved"
    stamp.parent.mkdir()
    stamp.touch()
    assert predicted()
    os.utime(stamp, (1893456000, 1893456000))  # 2030: it would be built anew in every run until then
    assert not predicted()
    stamp.unlink()
    assert predicted(editable={"demo": str(tmp_path)})
    assert predicted(editable={})
    assert predicted(editable={}, extra=True)
    assert predicted(lock=tools + line("demo==1.0", "1" * 64), editable={})
    text = (folder / "pyproject.toml").read_text()
    (folder / "pyproject.toml").write_text(text + 'dependencies = ["six"]\n')
    assert predicted()
    (folder / "pyproject.toml").write_text(text)
    assert not predicted()

    # Rebuilt for another reason, it is installed again; when it cannot be installed, the old environment stays.
    assert changed(python.environment, **{**arguments, "lock": tools + line("six==1.17.0")})
    assert os.readlink(path) == f"{path.name}.b"  # noqa: PTH115
    (folder / "backend.py").write_text("raise SystemExit('broken')")
    outcome = apply(python.environment, **arguments)
    assert outcome.failed
    assert os.readlink(path) == f"{path.name}.b"  # noqa: PTH115
    assert changed(python.environment, path=str(path), lock=tools)
