"""Somebody else's account in folders of its own, while root works there: at each step, links are laid to a victim."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.unit.converge import shim

UID = 65534  # "nobody": an account of every system, and not root
SECRET = "root's own\n"
# All that is in the folders goes to a name of its own, and a link to the victim, or to its folder, takes its place:
# also under each name at which root was seen to build something.
_LAY = r"""
cd "$1" || exit
for entry in .[!.]* *; do
  [ -e "$entry" ] || [ -L "$entry" ] || continue
  case $entry in taken.*) continue;; esac
  target=$2; [ ! -d "$entry" ] || target=${2%/*}
  mv -T "$entry" "taken.$$.$entry" && ln -sT "$target" "$entry"
done
for name in $3; do ln -sT "$2" "$name"; done 2>/dev/null
"""


@dataclass(frozen=True)
class Attacker:
    """An account that owns FOLDER, and a file of root's in a folder of root's that it is after."""

    folder: Path
    victim: Path

    def lay_links(self, *names: str, folder: Path | None = None) -> None:
        """Replace all that is in FOLDER, by default its own, by links; also where nothing is yet: NAMES."""
        subprocess.run([*self.command(*names, folder=folder)], check=False)

    def command(self, *names: str, folder: Path | None = None) -> list[str]:
        """Return what lays the links, run by the account itself."""
        account = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
        return [*account, "sh", "-c", _LAY, "lay", str(folder or self.folder), str(self.victim), " ".join(names)]

    def strike_before(self, shims: Path, command: str, *names: str) -> None:
        """Have links laid whenever a script of ours calls COMMAND, just before that does its work."""
        shim(shims, command, f'{shlex.join(self.command(*names))} </dev/null; exec "$REAL" "$@"')

    @property
    def won(self) -> str:
        """What became of the victim that root alone may do; empty where nothing did."""
        if not self.victim.exists():
            return f"{self.victim} is gone"
        found = []
        for path in (self.victim, self.victim.parent):
            status = path.lstat()
            if status.st_uid or status.st_gid:
                found.append(f"{path} belongs to {status.st_uid}:{status.st_gid}")
            if status.st_mode & 0o7777 not in (0o600, 0o700):
                found.append(f"{path} has the mode {status.st_mode & 0o7777:o}")
        if os.listdir(self.victim.parent) != [self.victim.name]:  # noqa: PTH208
            found.append(f"{self.victim.parent} holds {os.listdir(self.victim.parent)}")  # noqa: PTH208
        if self.victim.read_text() != SECRET:
            found.append(f"{self.victim} says {self.victim.read_text()!r}")
        return ", ".join(found)


@contextmanager
def attacker() -> Iterator[Attacker]:
    """Have an attacker's folder, and a victim in a folder of root's; pytest's own folders let nobody else in."""
    with tempfile.TemporaryDirectory(prefix="ckan-deploy-attacker-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        theirs, ours = folder / "theirs", folder / "ours"
        theirs.mkdir()
        os.chown(theirs, UID, UID)
        ours.mkdir(0o700)
        victim = ours / "secret"
        victim.write_text(SECRET)
        victim.chmod(0o600)
        yield Attacker(theirs, victim)
