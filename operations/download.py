"""Download files and archives, checked before they are put in place."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import OperationValueError, StringCommand, operation

from facts.download import Checksum, Former, Unpacked
from facts.files import FileState
from operations import foresight
from operations.files import ASIDE, ROOM, managed_as, script
from operations.kept import KEEP

_LENGTHS = {"sha256": 64, "sha512": 128}

_DOWNLOAD = (
    ASIDE
    + KEEP
    + ROOM
    + r"""
set -e; umask 022
url=$1; dest=$2; algorithm=$3; wanted=$4; hint=$5; mode=${6:-644}
mkdir -p "$(dirname "$dest")"; new=$dest.part; rm -f "$new"
curl --fail --silent --show-error --location --retry 3 --connect-timeout 20 --output "$new" -- "$url" || {
  say_if_full "$(dirname "$dest")"; rm -f "$new"; echo "could not download $url" >&2; exit 1; }
found=$("${algorithm}sum" < "$new" | cut -d' ' -f1)
if [ "$found" != "$wanted" ]; then
  rm -f "$new"; echo "$url has the $algorithm $found, not the wanted $wanted; nothing was installed$hint" >&2; exit 1
fi
chmod "$mode" "$new"; sync "$new"; aside "$dest" "$new"
keep "$dest"; written "$dest" "$new"; mv -fT "$new" "$dest"
"""
)
_UNPACK = (
    ROOM
    + r"""
set -e; umask 022
archive=$1; dest=$2; checksum=$3
rm -rf "$dest.new"; mkdir -p "$dest.new"
tar -xf "$archive" -C "$dest.new" --strip-components=1 --no-same-owner || {
  say_if_full "$(dirname "$dest")"; rm -rf "$dest.new"; exit 1; }
printf '%s\n' "$checksum" > "$dest.new/.ckan-deploy"
rm -rf "$dest.old"
# What did not come out of an archive may be somebody's.
if [ -L "$dest" ] || [ -f "$dest/.ckan-deploy" ]; then mv -T "$dest" "$dest.old"
elif [ -e "$dest" ]; then mv -T "$dest" "$dest.aside.$(date +%s)"; fi
mv -T "$dest.new" "$dest"; rm -rf "$dest.old"
"""
)


def split_checksum(checksum: str) -> tuple[str, str]:
    """Return algorithm and hexadecimal digest of ``sha512:…`` or ``sha256:…``.

    Raises ``OperationValueError`` for anything else.
    """
    algorithm, _, digest = checksum.lower().partition(":")
    if len(digest) != _LENGTHS.get(algorithm) or set(digest) - set("0123456789abcdef"):
        raise OperationValueError(f"not a checksum: {checksum!r}; write sha256: or sha512: and the hexadecimal digest")
    return algorithm, digest


@operation()
def file(url: str, dest: str, checksum: str, hint: str = "") -> Generator[StringCommand, None, None]:
    """Download a file.

    + url: where from; its host must be reachable from the host that is deployed
    + dest: absolute path; a missing folder is made
    + checksum: ``sha256:…`` or ``sha512:…``; verified before the file is renamed into place, so a wrong one
      installs nothing
    + hint: what to do when it is another one, as the end of the sentence that says so
    """
    algorithm, digest = split_checksum(checksum)
    if host.get_fact(Checksum, path=dest, algorithm=algorithm) == digest:
        host.noop(f"{dest} is as wanted")
        return
    foresight.will_touch(dest)
    yield script(_DOWNLOAD, url, dest, algorithm, digest, f": {hint}" if hint else "")


@operation()
def program(url: str, dest: str, sha256: str, hint: str = "") -> Generator[StringCommand, None, None]:
    """Download a program that is one file; everybody may run it.

    + url: where from; its host must be reachable from the host that is deployed
    + dest: absolute path; what runs from it goes on with the former one
    + sha256: verified before the file is renamed into place, so a wrong one installs nothing
    + hint: what to do when it is another one
    """
    _, digest = split_checksum(f"sha256:{sha256}")
    if managed_as(dest, "root", "root").state == FileState("regular file", 0o755, "root", "root", digest, None):
        host.noop(f"{dest} is as wanted")
        return
    foresight.will_touch(dest)
    yield script(_DOWNLOAD, url, dest, "sha256", digest, f": {hint}" if hint else "", "755")


@operation()
def unpacked(archive: str, dest: str, checksum: str) -> Generator[StringCommand, None, None]:
    """Unpack a downloaded archive, without its top folder.

    + archive: absolute path of a tar archive, as ``file`` put it there
    + dest: absolute path of the folder; it appears whole, or not at all
    + checksum: of the archive; noted in the folder, a folder with another note is replaced
    """
    split_checksum(checksum)
    if host.get_fact(Unpacked, path=dest) == checksum:
        host.noop(f"{dest} is unpacked")
        return
    foresight.will_touch(dest)
    yield script(_UNPACK, archive, dest, checksum)


@operation()
def former_absent(version: str, archive: str, dest: str) -> Generator[StringCommand, None, None]:
    """Remove other versions of what ``file`` and ``unpacked`` put there, once nothing runs from them.

    + version: the one that is used; the others have their own in its place
    + archive, dest: its absolute paths, each with the version in its last part

    Of folders only those go that came out of an archive.
    """
    former = host.get_fact(Former, version=version, archive=archive, dest=dest)
    if not former:
        host.noop("there is no former version")
        return
    foresight.will_touch(*former)
    yield script('rm -rf -- "$@"', *former)
