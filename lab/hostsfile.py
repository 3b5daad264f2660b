"""The lab's lines in the controller's /etc/hosts, so that https://portal.test/ works from there."""

import errno
import stat
from collections.abc import Iterable
from pathlib import Path

from lab import paths, system

HOSTS = Path("/etc/hosts")


def sync(lines: Iterable[str]) -> None:
    """Make these the lab's only lines; every other line stays as it is."""
    with system.locked(paths.RUN / "ckan-deploy-lab.lock"):
        for stale in HOSTS.resolve().parent.glob(f"{system.TEMPORARY}*"):  # of a lab that was killed
            stale.unlink()
        old = HOSTS.read_text() if HOSTS.exists() else ""
        ending = f"  {paths.marker()}\n"
        kept = "".join(line for line in old.splitlines(keepends=True) if not line.endswith(ending))
        added = "".join(line + ending for line in lines)
        if added and kept and not kept.endswith("\n"):
            kept += "\n"
        new = kept + added
        if new == old:
            return
        mode = stat.S_IMODE(HOSTS.stat().st_mode) if HOSTS.exists() else 0o644
        try:
            system.write(HOSTS.resolve(), new, mode)
        except OSError as error:
            if error.errno not in (errno.EBUSY, errno.EXDEV, errno.EROFS, errno.EACCES):
                raise
            HOSTS.write_text(new)  # a bind mount (as in a container) cannot be renamed over
