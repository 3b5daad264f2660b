"""CKAN's package for the lab: a stand-in of the same name, layout, conffiles and maintainer script.

The vendor's own `python-ckan_2.11-noble_amd64.deb` is on no package registry. `ensure_deb` builds one on a throwaway
host of the wanted release, with that release's Python at the very path that the package has, and leaves

    MIRROR/ckan/python-ckan_2.11-RELEASE_amd64.deb
    MIRROR/ckan/python-ckan_2.11-RELEASE_amd64.deb.sha256

What it is built of is in `lab/deb/`: `build` runs on the host, `postinst` and `files/` are the package's.
"""

import base64
import hashlib
import io
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from lab import host, inside, mirror, state
from lab.errors import LabError
from lab.solr_build import digest, locked

RECIPE = Path(__file__).parent / "deb"
LOCKS = Path(__file__).resolve().parent.parent / "locks"
PYTHON = {"bookworm": "3.11", "trixie": "3.13", "noble": "3.12"}
HOST = "deb-build"
# Of the lock, what builds the packages that have no wheel, with what that needs itself.
TOOLS = ("packaging", "pip", "setuptools", "setuptools-scm", "typing-extensions", "wheel")
SECONDS = 1800


def shelf() -> Path:
    """Where the mirror has the packages."""
    return mirror.folder() / "ckan"


def name(release: str) -> str:
    """File name of the package for a release, as the vendor names it: without the patch version."""
    return f"python-ckan_2.11-{release}_amd64.deb"


def checksum(release: str) -> str:
    """The package's SHA-256; empty while there is none."""
    file = shelf() / f"{name(release)}.sha256"
    return file.read_text().split()[0] if file.exists() else ""


def ensure_deb(release: str) -> Path:
    """Path of the package for RELEASE, built now unless it is there and of this recipe and lock.

    Raises LabError when it cannot be built.
    """
    target = shelf() / name(release)
    target.parent.mkdir(parents=True, exist_ok=True)
    content = _content(release)
    recipe = hashlib.sha256(b"".join(f"{path}\0".encode() + data for path, data in sorted(content.items()))).hexdigest()
    noted = target.with_name(f"{target.name}.recipe")
    with locked(target.with_name(f".{release}.lock")):
        if _is_whole(target, noted, recipe):
            return target
        with tempfile.TemporaryDirectory(prefix=".building-", dir=shelf()) as work:
            built = Path(work) / target.name
            _build(release, content, built)
            for file in (noted, target.with_name(f"{target.name}.sha256")):
                file.unlink(missing_ok=True)
            built.chmod(0o644)
            sha256 = digest(built, "sha256")
            built.rename(target)
            target.with_name(f"{target.name}.sha256").write_text(f"{sha256}  {target.name}\n")
            noted.write_text(recipe + "\n")
    return target


def variant(source: Path, target: Path, *, version: str = "", files: dict[str, str] | None = None) -> str:
    """Pack SOURCE anew as TARGET, with another version, and with other texts of some of its files; its SHA-256."""
    if shutil.which("dpkg-deb") is None:
        raise LabError("dpkg-deb is missing: apt-get install dpkg")
    with tempfile.TemporaryDirectory(dir=target.parent) as work:
        tree = Path(work) / "tree"
        _run(["dpkg-deb", "-R", str(source), str(tree)])
        control = tree / "DEBIAN/control"
        if version:
            control.write_text(re.sub(r"^Version: .*$", f"Version: {version}", control.read_text(), flags=re.M))
        for path, text in (files or {}).items():
            (tree / path).write_text(text)
        _run(["dpkg-deb", "-Zgzip", "-z1", "--build", str(tree), str(Path(work) / "built")])
        (Path(work) / "built").chmod(0o644)
        (Path(work) / "built").rename(target)
    return digest(target, "sha256")


def _content(release: str) -> dict[str, bytes]:
    """What the build needs, by path."""
    found = {str(path.relative_to(RECIPE)): path.read_bytes() for path in RECIPE.rglob("*") if path.is_file()}
    lock = (LOCKS / f"ckan-py{PYTHON[release]}.txt").read_text()
    found["lock"] = lock.encode()
    tools = [entry for entry in re.split(r"\n(?=[A-Za-z0-9])", lock) if re.split(r"[=\[]", entry)[0] in TOOLS]
    found["tools.lock"] = ("\n".join(tools) + "\n").encode()
    return found


def _build(release: str, content: dict[str, bytes], target: Path) -> None:
    version = re.search(r"^ckan(?:\[[^]]*\])?==(\S+)", content["lock"].decode(), re.MULTILINE)
    if version is None:
        raise LabError(f"the lock of {release} has no CKAN")
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for path, data in content.items():
            entry = tarfile.TarInfo(path)
            entry.size = len(data)
            entry.mode = 0o755
            tar.addfile(entry, io.BytesIO(data))
    print(f"building CKAN's package for {release} (some minutes, once for each lock)", flush=True)
    if state.find(HOST):
        host.down(HOST)
    host.up(HOST, release=release)
    try:
        text = base64.b64encode(packed.getvalue()).decode()
        inside.run(HOST, ["sh", "-c", "mkdir -p /root/deb && base64 -d | tar -xz -C /root/deb"], text=text)
        inside.run(HOST, ["sh", "/root/deb/build", version.group(1), release], timeout=SECONDS)
        with target.open("wb") as file:
            subprocess.run(inside.run_argv(HOST, ["cat", "/root/deb/python-ckan.deb"]), stdout=file, check=True)
        host.poweroff(HOST)  # keeps the debs that were downloaded
    except subprocess.SubprocessError as error:
        raise LabError(f"CKAN's package for {release} was not built: {error}") from error
    finally:
        host.down(HOST)


def _is_whole(target: Path, noted: Path, recipe: str) -> bool:
    try:
        stated = target.with_name(f"{target.name}.sha256").read_text().split()[0]
        return noted.read_text() == recipe + "\n" and digest(target, "sha256") == stated
    except (FileNotFoundError, IndexError):
        return False


def _run(argv: list[str]) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"`{' '.join(argv)}` failed: {done.stderr.strip()}")
