"""Git repositories for the lab: DCOR's packages, made from their source distributions.

Where their real repositories are is out of a lab's reach, what was released from them is not. `ensure_git` downloads
the source distributions that `locks/dcor-py*.txt` pins (and the older ones of `lab/git_older.txt`, so that there is
something to update from), and leaves for each package a bare repository below `MIRROR/git`: a commit and a tag for each
version, branch `master` at the newest. Commits have fixed authors and dates, so that the same sources have the same
hashes. It is served as files ("dumb" HTTP, read-only); `lab/prepare.py` has git on the hosts look there for what is
asked of the real address.

    python -m lab mirror git

A source distribution lacks little of its repository: what git alone has (its history). What it has more is left out.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from lab import system
from lab.errors import LabError
from lab.solr_build import locked

REAL = "https://github.com/DCOR-dev/"  # whose place the mirror takes for the lab's hosts
BRANCH = "master"
LOCK = Path(__file__).resolve().parent.parent / "locks" / "dcor-py3.12.txt"
OLDER = Path(__file__).with_name("git_older.txt")
# As their repositories are named.
NAMES = tuple(re.findall(r"^(ckanext-\w+|dcor_\w+)==", LOCK.with_name("dcor.in").read_text(), re.MULTILINE))
_RECIPE = "1"  # another one has the repositories made anew
_DATE = "2025-01-01T00:00:00 +0000"
_PACKED = ("PKG-INFO", "*.egg-info")  # what packing adds; so is a setup.cfg with nothing but this:
_PACKED_CFG = "[egg_info]\ntag_build = \ntag_date = 0\n"


@dataclass(frozen=True)
class Source:
    """One released version: the repository it came from, and its line of a lock."""

    name: str
    version: str
    line: str


def ensure_git(mirror: Path) -> None:
    """Make `mirror/git/NAME` for each of DCOR's packages, unless they are there and of these sources.

    Builds in a folder beside and renames it; builders wait for each other. Raises LabError when a download fails or has
    another hash.
    """
    sources = _sources()
    shelf = mirror / "git"
    mirror.mkdir(parents=True, exist_ok=True)
    recipe = hashlib.sha256("".join([_RECIPE, *(s.line for s in sources)]).encode()).hexdigest()
    with locked(mirror / ".git.lock"):
        if (shelf / "recipe").is_file() and (shelf / "recipe").read_text() == recipe:
            return
        for leftover in mirror.glob(".git-building-*"):  # of builders that were killed: we hold the lock
            shutil.rmtree(leftover)
        with tempfile.TemporaryDirectory(prefix=".git-building-", dir=mirror) as name:
            work = Path(name)
            work.chmod(0o755)
            archives = _download(sources, work / "sdists")
            (work / "git").mkdir()
            for repository in NAMES:
                mine = sorted((s for s in sources if s.name == repository), key=lambda source: _numbers(source.version))
                build(work / "git" / repository, [(source.version, archives[source]) for source in mine])
            (work / "git" / "recipe").write_text(recipe)
            if shelf.exists():
                shelf.rename(work / "replaced")
            (work / "git").rename(shelf)


def build(repository: Path, versions: list[tuple[str, Path]]) -> None:
    """Make a bare REPOSITORY with a commit and a tag for each of VERSIONS: the version and its source distribution."""
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name) / "tree"
        tree.mkdir()
        _git(tree, "init", "-q", "-b", BRANCH)
        for version, archive in versions:
            for old in tree.iterdir():
                if old.name != ".git":
                    shutil.rmtree(old) if old.is_dir() else old.unlink()
            _unpack(archive, tree)
            _git(tree, "add", "-A")
            _git(tree, "commit", "-q", "--allow-empty", "-m", f"Release {version}")
            _git(tree, "tag", version)
        _git(tree, "clone", "-q", "--bare", str(tree), str(repository))
    shutil.rmtree(repository / "hooks", ignore_errors=True)
    _git(repository, "remote", "remove", "origin")
    _git(repository, "update-server-info")


def _unpack(archive: Path, tree: Path) -> None:
    """Unpack a source distribution, without its top folder and without what packing added."""
    with tempfile.TemporaryDirectory(dir=tree.parent) as name:
        with tarfile.open(archive) as tar:
            tar.extractall(name, filter="data")
        (top,) = Path(name).iterdir()
        for pattern in _PACKED:
            for found in top.glob(pattern):
                shutil.rmtree(found) if found.is_dir() else found.unlink()
        configuration = top / "setup.cfg"
        if configuration.is_file() and configuration.read_text().strip() == _PACKED_CFG.strip():
            configuration.unlink()
        for entry in top.iterdir():
            entry.rename(tree / entry.name)


def _sources() -> list[Source]:
    """Return what the lock, and the list of older ones, pin of DCOR's packages."""
    repositories = {_normal(name): name for name in NAMES}
    found = []
    for file in (OLDER, LOCK):
        for line in re.sub(r"\s*\\\n\s*", " ", file.read_text()).splitlines():
            match = re.match(r"([A-Za-z0-9._-]+)==(\S+) --hash=", line)
            if match and _normal(match[1]) in repositories:
                found.append(Source(repositories[_normal(match[1])], match[2], line))
    if missing := set(NAMES) - {source.name for source in found}:
        raise LabError(f"{LOCK} does not pin {', '.join(sorted(missing))}")
    return found


def _download(sources: list[Source], folder: Path) -> dict[Source, Path]:
    """Have pip, with this machine's own configuration, download the source distributions; it compares their hashes."""
    archives = {}
    for source in sources:
        place = folder / f"{source.name}-{source.version}"
        place.mkdir(parents=True)
        (place / "lock").write_text(source.line + "\n")
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "download", "--no-deps"]
        system.run([*pip, "--no-binary", ":all:", "--require-hashes", "-r", place / "lock", "-d", place])
        (archives[source],) = place.glob("*.tar.gz")
    return archives


def _git(folder: Path, *arguments: str) -> None:
    """Run git with nobody's configuration, as nobody, at a fixed time."""
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _WHO.items()}
    environment = {**os.environ, **who, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(
        ["git", "-C", folder, *arguments], env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LabError(f"git {' '.join(arguments)} failed: {done.stderr.strip()}")


_WHO = {"NAME": "ckan-deploy lab", "EMAIL": "lab@example.org", "DATE": _DATE}


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)]


def version_of(name: str) -> str:
    """Return the newest version of the repository NAME."""
    return max((source.version for source in _sources() if source.name == name), key=_numbers)
