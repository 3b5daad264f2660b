"""Install the operating system's packages."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from pyinfra import host
from pyinfra.api import StringCommand, operation

from facts.apt import Brought, Packages
from facts.files import Managed
from operations import foresight
from operations.dpkg import CKAN, HIDDEN, PATIENTLY
from operations.files import script

# CKAN_DEPLOY_NO_START is what our policy-rc.d looks at: a package must not start its service with a default
# configuration on a public port. needrestart must not restart anything here. CKAN's own package, which no archive has,
# is taken off the books when it is torn: apt would do nothing else before it is repaired.
_INSTALL = (
    "set -e\n"
    + PATIENTLY
    + HIDDEN
    + r"""
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 NEEDRESTART_SUSPEND=1 CKAN_DEPLOY_NO_START=1
export APT_LISTCHANGES_FRONTEND=none
outdated=$1; ckan=$2; shift 2
get() {
  patiently apt-get -q -y --no-install-recommends --no-remove -o DPkg::Lock::Timeout=600 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" >/dev/null
}
case "$(dpkg-query -W -f '${db:Status-Abbrev}' "$ckan" 2>/dev/null)" in
  ''|?n*|?c' '*|?i' '*) ;;
  *) let_go "$ckan" /usr/lib/ckan.ckan-deploy ;;
esac
patiently dpkg --configure -a --force-confdef --force-confold >/dev/null
# What was being unpacked cannot be configured; apt takes it for installed unless it is told.
torn=$(dpkg-query -W -f '${db:Status-Abbrev}|${Package}\n' | sed -n 's/^\(.H.\|..R\)|//p')
if [ -n "$torn" ] || [ $# -gt 0 ]; then
  [ "$outdated" = no ] || get update
  [ -z "$torn" ] || get install --reinstall $torn
  # A list that is newer than its source may still be too old for the archive: fetch it anew and try once more.
  [ $# = 0 ] || get install "$@" 2>/dev/null || { get update; get -f install "$@"; } || {
    conflicting=$(apt-get -s -q --no-install-recommends install "$@" | sed -n 's/^Remv \([^ ]*\).*/\1/p' | paste -sd' ')
    [ -z "$conflicting" ] ||
      echo "$* cannot be installed beside $conflicting; where that is of no use, remove it, and run again" >&2
    exit 1
  }
fi
"""
)

_STATUS = "/var/lib/dpkg/status"


@operation()
def packages(packages: Sequence[str]) -> Generator[StringCommand, None, None]:
    """Install those of PACKAGES that are missing, without recommended ones; versions are left alone.

    + packages: names as apt knows them

    The lists are refreshed only when they are older than their sources or the archive no longer has what they
    name. A dpkg that was interrupted is repaired first. No service is started. Nothing is removed: where apt would do
    that, the operation fails and says what.
    """
    current = host.get_fact(Packages, packages=tuple(packages))
    # What an earlier operation will install or repair is not missing for this one.
    missing = sorted(name for name in set(packages) - set(current.versions) if not foresight.installed(name))
    interrupted = current.interrupted and not foresight.touched(_STATUS)
    if not missing and not interrupted:
        host.noop("all packages are installed")
        return
    if interrupted:
        foresight.will_touch(_STATUS)
        foresight.will_install(*current.unfinished)
    foresight.will_install(*missing)
    foresight.will_set_up(*(name for name in missing if name not in current.removed))
    if missing and foresight.preparing():
        brought = host.get_fact(Brought, packages=tuple(missing))
        foresight.will_install(*(name for name in brought if name not in missing))
    yield script(_INSTALL, "yes" if current.lists_outdated else "no", CKAN, *missing)


@operation()
def absent(packages: Sequence[str], brought_with: str = "") -> Generator[StringCommand, None, None]:
    """Remove those of PACKAGES that are installed; their configuration stays.

    + packages: names as apt knows them
    + brought_with: path of a file that only an earlier run of ours can have written: without it the packages are
      somebody else's, and stay
    """
    if brought_with and host.get_fact(Managed, path=brought_with).state is None:
        host.noop("the packages are not ours")
        return
    current = host.get_fact(Packages, packages=tuple(packages))
    unwanted = sorted(set(packages) & set(current.versions))
    if not unwanted:
        host.noop("none of the packages is installed")
        return
    yield script(
        "DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 "
        'apt-get -q -y -o DPkg::Lock::Timeout=600 remove "$@" >/dev/null',
        *unwanted,
    )
