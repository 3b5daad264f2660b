"""Keep CKAN's database and its search index."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from hashlib import sha256

from pyinfra import host, logger
from pyinfra.api import OperationError, StringCommand, operation

from facts.ckan import Database, DatabaseState
from facts.ckan_index import COMPARE, Index
from operations import foresight, stamps
from operations.ckan_identity import becomes_another, becomes_empty
from operations.files import script

_UPGRADE_STAMP = f"{stamps.FOLDER}/upgrade"

# CKAN's command logs to standard error and says SUCCESS in any case; its exit status tells.
_UPGRADE = (
    stamps.WRITE
    + r"""
set -e
ckan=$1/bin/ckan; ini=$2; stamp=$3; key=$4
log=$(mktemp); trap 'rm -f "$log"' EXIT
cd /; runuser -u www-data -- "$ckan" -c "$ini" db upgrade >"$log" 2>&1 || { tail -n 40 "$log" >&2; exit 1; }
stamp "$stamp" "$key"
"""
)

_INDEX_STAMP = f"{stamps.FOLDER}/index"
_SOLR_SECONDS = 60  # seconds for Solr to answer after its start

# Asks again whether there is something to do: an empty portal is done without starting CKAN. What CKAN could not
# index at the end is noted in the stamp: else every run would try again.
_DECIDE = (
    COMPARE
    + r"""
ini, url, site, stamp, key, *after = sys.argv[1:]
found = compare(ini, url, site, "" if after else stamp, 0, 0)
if not found["known"]:
    sys.exit("the database or Solr does not answer")
if after:
    print("\n".join([key, *found["missing"]]))
elif found["surplus"]:
    print("--clear")
elif found["total"] and found["stamp"] != key:
    print("--quiet")
elif found["missing"]:
    print("--only-missing")
"""
)
_REBUILD = (
    stamps.WRITE
    + r"""
set -e; umask 022
path=$1; ini=$2; url=$3; site=$4; stamp=$5; key=$6; seconds=$7; code=$8
decide() { "$path/bin/python" -I -c "$code" "$ini" "$url" "$site" "$stamp" "$key" "$@"; }
log=$(mktemp); trap 'rm -f "$log"' EXIT
how=$(decide)
if [ -n "$how" ]; then
  cd /
  timeout "$seconds" runuser -u www-data -- "$path/bin/ckan" -c "$ini" search-index rebuild --force --quiet "$how" \
    >"$log" 2>&1 || { tail -n 40 "$log" >&2; echo "the search index was not rebuilt in $seconds seconds" >&2; exit 1; }
fi
left=$(decide after); stamp "$stamp" "$left"
"""
)


@operation()
def database(
    path: str, ini: str, plugins: Sequence[str], lock: str, location: str
) -> Generator[StringCommand, None, None]:
    """Apply the migrations of CKAN and its plugins when some are pending.

    + path: of CKAN's virtual environment
    + ini: path of ckan.ini
    + plugins: enabled plugins
    + lock: text of the lock that the environment is built from
    + location: host, port and name of the database, to notice that it is another one

    It also runs once after each change of lock, plugins or location, since only then can the plan know before
    what a newer CKAN brings. Raises ``OperationError`` in execution when the database does not answer.
    """
    key = sha256("\n".join((lock, location, *plugins)).encode()).hexdigest()
    current = host.get_fact(Database, path=path, ini=ini, stamp=_UPGRADE_STAMP, plugins=tuple(plugins))
    must_reach(current, location)
    if current.stamp == key and not current.pending and not current.missing and not becomes_empty():
        host.noop("no migration is pending")
        return
    foresight.will_touch(_UPGRADE_STAMP)
    yield script(_UPGRADE, path, ini, _UPGRADE_STAMP, key)


@operation()
def search_index(
    path: str, ini: str, url: str, site: str, schema: str, location: str, seconds: int = 3600
) -> Generator[StringCommand, None, None]:
    """Have every dataset of CKAN's database in the search index, and no others; rebuild it when that is not so.

    + path: of CKAN's virtual environment
    + ini: path of ckan.ini
    + url: of the core
    + site: ``ckan.site_id``
    + schema: digest of the core's schema
    + location: of the database
    + seconds: longest time that the rebuild may take

    It also runs once after each change of core, schema or database, since only then can the plan know before what
    a Solr that does not run yet will hold; where there is no dataset it only takes note. Raises ``OperationError``
    in execution when Solr does not answer.
    """
    key = sha256("\n".join((url, site, schema, location)).encode()).hexdigest()
    wait = 0 if foresight.preparing() else _SOLR_SECONDS
    current = host.get_fact(Index, path=path, ini=ini, url=url, site=site, stamp=_INDEX_STAMP, wait=wait)
    if not current.known and not foresight.preparing():
        raise OperationError(f"Solr at {url} does not answer {host.name}; see `journalctl -u solr` there")
    if current.stamp == key and not current.missing and not current.surplus and not becomes_another(path, ini):
        if current.refused:
            logger.warning(
                f"{host.print_prefix}{current.refused} datasets could not be indexed; see `ckan search-index check`"
            )
        host.noop("the search index holds all datasets")
        return
    foresight.will_touch(_INDEX_STAMP)
    yield script(_REBUILD, path, ini, url, site, _INDEX_STAMP, key, seconds, _DECIDE)


def must_reach(current: DatabaseState, location: str) -> None:
    """Raise ``OperationError``, in execution only, when the database at LOCATION does not answer."""
    if not current.reachable and not foresight.preparing():
        raise OperationError(
            f"CKAN's database at {location} does not answer {host.name}; see `journalctl -u 'postgresql@*'` there"
        )
