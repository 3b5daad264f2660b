"""Shell functions about dpkg, which ``apt`` and ``deb`` share."""

from __future__ import annotations

# The one package that no archive has: what tears it cannot be repaired by fetching it anew.
CKAN = "python-ckan"

# An earlier run's apt may live on after its connection was cut, so locks are waited for (also the lists' lock,
# which DPkg::Lock::Timeout does not cover).
PATIENTLY = r"""
said=$(mktemp); trap 'rm -f "$said"' EXIT
patiently() {
  for i in $(seq 300); do
    ! "$@" 2>"$said" || return 0
    grep -q 'Could not get lock\|Unable to lock\|frontend lock' "$said" || break
    sleep 2
  done
  cat "$said" >&2; return 1
}
"""

# hidden NEW COMMAND…: to COMMAND alone, the places that CKAN's package and its maintainer script write to are folders
# below NEW. The portal that runs sees nothing of it, and our files there are neither replaced nor removed.
# let_go PACKAGE NEW: takes PACKAGE off dpkg's books, however torn it is.
# keep_command, restore_command: the command ckan is not in a folder that can be hidden. dpkg removes it with the
# package, and in an upgrade, too, when it is told not to unpack the new one; it is put back, from where files.install
# looks for what a killed run left.
HIDDEN = r"""
hidden() (
  scratch=$1; shift
  exec unshare --mount -- sh -c '
    set -e; scratch=$1; shift
    for place in /etc/ckan /etc/cron.daily /etc/nginx /etc/supervisor /var/lib/ckan /var/log/ckan /usr/lib/ckan; do
      mkdir -p "$scratch$place" "$place"; mount --bind "$scratch$place" "$place"
    done
    exec "$@"' ckan-deploy "$scratch" "$@"
)
keep_command() {
  if [ -e /usr/bin/ckan ]; then
    rm -rf /usr/bin/.ckan.ckan-deploy; cp -aT /usr/bin/ckan /usr/bin/.ckan.ckan-deploy
  elif [ -d /usr/bin/.ckan.ckan-deploy ]; then rm -rf /usr/bin/.ckan.ckan-deploy; fi
}
restore_command() { [ ! -e /usr/bin/.ckan.ckan-deploy ] || mv -f /usr/bin/.ckan.ckan-deploy /usr/bin/ckan; }
let_go() {
  mkdir -p "$2"; keep_command
  patiently hidden "$2" dpkg --force-remove-reinstreq --purge "$1" >/dev/null || { restore_command; return 1; }
  restore_command; rm -rf "$2"
}
"""
