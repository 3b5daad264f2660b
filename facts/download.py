"""Facts about downloaded files."""

from __future__ import annotations

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override


class Checksum(FactBase[str | None]):
    """Hexadecimal digest of a regular file that only its owner, who asks, may write (0644); else None.

    + path: absolute path
    + algorithm: "sha256" or "sha512"
    """

    @override
    def command(self, path: str, algorithm: str) -> StringCommand:
        """Build the one command of this fact."""
        quoted = QuoteString(path)
        seen = ("LC_ALL=C stat -c '%a %u %F'", quoted, "2>/dev/null")
        wanted = '"644 $(id -u) regular file"'
        return StringCommand('! test "$(', *seen, ')" =', wanted, "||", f"{algorithm}sum", "<", quoted)

    @override
    def process(self, output: list[str]) -> str | None:
        """Take the first word; raises ``FactProcessError`` with the output shown."""
        digest = output[0].partition(" ")[0]
        if len(digest) < 64 or set(digest) - set("0123456789abcdef"):
            raise FactProcessError(f"the checksum is not understood: {output!r}")
        return digest


class Unpacked(FactBase[str | None]):
    """Checksum of the archive that a folder was unpacked from, or None.

    + path: absolute path of the folder

    It is None too while a killed run's rest stands beside the folder.
    """

    @override
    def command(self, path: str) -> StringCommand:
        """Build the one command of this fact."""
        note, old, new = (QuoteString(path + end) for end in ("/.ckan-deploy", ".old", ".new"))
        return StringCommand("! test -f", note, "|| test -e", old, "|| test -e", new, "|| cat", note)

    @override
    def process(self, output: list[str]) -> str | None:
        """Take the text as it is."""
        return "\n".join(output)


_FORMER = r"""
version=$1; archive=$2; dest=$3
others() { find "${1%/*}" -maxdepth 1 -name "$2" ! -path "$1" 2>/dev/null; }
pattern() { name=${1##*/}; printf '%s*%s' "${name%%"$version"*}" "${name#*"$version"}"; }
others "$archive" "$(pattern "$archive")"
others "$dest" "$(pattern "$dest")" | while read -r folder; do [ ! -f "$folder/.ckan-deploy" ] || echo "$folder"; done
"""


class Former(FactBase[list[str]]):
    """Archives and unpacked folders of other versions, sorted.

    + version: the one that is used
    + archive, dest: absolute paths of its archive and its folder
    """

    @override
    def command(self, version: str, archive: str, dest: str) -> StringCommand:
        """Build the one command of this fact."""
        return StringCommand("sh -c", QuoteString(_FORMER), "ckan-deploy", *map(QuoteString, (version, archive, dest)))

    @staticmethod
    @override
    def default() -> list[str]:
        """There is none."""
        return []

    @override
    def process(self, output: list[str]) -> list[str]:
        """Take the lines as they are."""
        return sorted(output)
