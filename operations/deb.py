"""Build CKAN's environment out of CKAN's own package, a file that no archive has."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import OperationValueError, StringCommand, operation

from facts.deb import Deb
from facts.python import Environment
from operations import announce, foresight, python
from operations.download import split_checksum
from operations.dpkg import HIDDEN, PATIENTLY
from operations.files import script

# Run by the environment's own interpreter: those entries of the lock that it does not hold in this version.
_DIFFERING = r"""
import importlib.metadata, re, sys
def installed(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
for entry in re.split(r"\n(?=[A-Za-z0-9])", sys.stdin.read()):
    found = re.match(r"([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", entry)
    if found and installed(found[1]) != found[2]:
        print(entry)
"""

# Runs where nothing but the new environment is at the environment's path.
_FILL = (
    HIDDEN
    + python.INSTALL
    + python.FINISH
    + r"""
set -e; umask 022
path=$1; tools=$2; archive=$3; checksum=$4; differing=$5; finish=$6
keep_command
dpkg --force-confdef --force-confold --path-exclude=/usr/bin/ckan --install "$archive" >/dev/null || {
  restore_command; exit 1; }
restore_command
"$path/bin/python" -I -c "$differing" < "$path/ckan-deploy.lock" > "$path/differing"
install_lock "$path" "$path/differing" "$tools"
rm -f "$path/differing"
finish_environment "$path" "$finish"
printf '%s\n' "$checksum" > "$path/ckan-deploy.deb"
"""
)

# dpkg keeps a link to a folder where the package has a folder: it would unpack into the environment that the portal
# runs from. So it, its maintainer script and pip work where another folder is at that path, and the path is switched
# as for every environment.
_BUILD = (
    PATIENTLY
    + HIDDEN
    + r"""
path=$1; tools=$2; archive=$3; from=$4; package=$5; version=$6; release=$7; differing=$8; fill=$9; finish=${10}
"""
    + python.BEGIN
    + r"""
new=$path.deb; trap 'given_up $?; rm -rf "$said" "$new"' EXIT
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 NEEDRESTART_SUSPEND=1 CKAN_DEPLOY_NO_START=1
field() { dpkg-deb -f "$archive" "$1"; }
case "$(field Package) $(field Version)" in
  "$package $version-$release"|"$package $version-$release"[0-9]*) ;;
  *)
    echo "$archive is $(field Package) $(field Version), but the lock is for CKAN $version and this host runs" \
      "$release: $package $version-$release would fit. Take that package, or a checkout whose lock is for this one;" \
      "nothing was installed" >&2
    exit 1 ;;
esac
rm -rf "$new"
mkdir -p "$new$path"; cat > "$new$path/ckan-deploy.lock"
patiently hidden "$new" sh -c "$fill" ckan-deploy "$path" "$tools" "$archive" "$from" "$differing" "$finish" 9>&-
mv -T "$new$path" "$dest"
"""
    + python.END
)

_ABSENT = "set -e\n" + PATIENTLY + HIDDEN + 'let_go "$1" "$2"\n'


@operation()
def environment(
    path: str, lock: str, archive: str, checksum: str, package: str, version: str, release: str, finish: str = ""
) -> Generator[StringCommand, None, None]:
    """Keep the virtual environment that a package brings, with what a lock says in it.

    + path: of the environment, where the package has it; it becomes a symbolic link as with ``python.environment``
    + lock: text of a complete lock file; packages of other versions are replaced by those that it names, others stay
    + archive: absolute path of the package's file, as ``download.file`` put it there
    + checksum: its ``sha256:…``; another one is another package, whatever its version says
    + package: its name
    + version: of CKAN in it: the lock's; another one is refused, in execution
    + release: codename of the release that it must be built for: the host's
    + finish: as for ``python.environment``

    dpkg knows the package as installed. Of its files only the environment is used: its configuration, its command
    and what its maintainer script does to the host end in a folder that is thrown away, so that they never meet ours.
    What it depends on must be there. A kill leaves the old environment or the new one.
    """
    algorithm, digest = split_checksum(checksum)
    if algorithm != "sha256":
        raise OperationValueError(f"the package's checksum must be sha256:…, not {algorithm}:…")
    wanted = python.locked_versions(lock)
    current = host.get_fact(Environment, path=path)
    found = {name: installed for name, installed in current.packages.items() if name in wanted}
    built = current.slot is not None and current.archive == digest and current.python == current.system_python
    finished = current.finished == python.digest_of(finish)
    if built and finished and found == wanted and host.get_fact(Deb, package=package).installed:
        host.noop(f"{path} holds what {package} brings and its lock says")
        return
    foresight.will_touch(path)
    before = {name: installed for name, installed in current.packages.items() if name in wanted or name == "ckan"}
    announce.versions(before, {**wanted, "ckan": version}, first="ckan")
    yield script(
        _BUILD, path, python.TOOLS, archive, digest, package, version, release, _DIFFERING, _FILL, finish.rstrip("\n"),
        stdin=lock,
    )  # fmt: skip


@operation()
def absent(package: str, path: str) -> Generator[StringCommand, None, None]:
    """Take a package off dpkg's books that ``environment`` installed, or somebody by hand.

    + package: its name
    + path: of the environment, which is another's by now

    What is at the places of its files stays: it is ours.
    """
    if not host.get_fact(Deb, package=package).status:
        host.noop(f"{package} is not installed")
        return
    yield script(_ABSENT, package, f"{path}.deb")
