"""Keep CKAN's database, its first sysadmin and its search index."""

from __future__ import annotations

import hmac
import json
from collections.abc import Generator, Sequence
from hashlib import sha256

from pyinfra import host, logger
from pyinfra.api import OperationError, StringCommand, operation
from pyinfra.api.hiddenvalue import HiddenValue

from facts.ckan import Database, DatabaseState
from facts.ckan_index import COMPARE, Index
from facts.files import FileState, Managed
from operations import foresight
from operations.files import ASIDE, script

_STAMPS = "/var/lib/ckan-deploy/ckan"
_UPGRADE_STAMP = f"{_STAMPS}/upgrade"

# Facts take a stamp for one only if it is root's own regular file of this mode.
_STAMP = (
    ASIDE
    + r"""
stamp() {
  umask 022; mkdir -p "$(dirname "$1")"; rm -f "$1.new"; printf '%s\n' "$2" > "$1.new"
  aside "$1" "$1.new"; mv -fT "$1.new" "$1"
}
"""
)

# CKAN's command logs to standard error and says SUCCESS in any case; its exit status tells.
_UPGRADE = (
    _STAMP
    + r"""
set -e
ckan=$1/bin/ckan; ini=$2; stamp=$3; key=$4
log=$(mktemp); trap 'rm -f "$log"' EXIT
cd /; runuser -u www-data -- "$ckan" -c "$ini" db upgrade >"$log" 2>&1 || { tail -n 40 "$log" >&2; exit 1; }
stamp "$stamp" "$key"
"""
)

# Through CKAN's own functions, since its command line would show the password in argv. The token is written by the
# process that made it, into a file that was private from the start.
_SYSADMIN = r"""
import json, os, sys
ini, wanted = sys.argv[1], json.loads(sys.stdin.readline())
from ckan.cli import load_config
from ckan.config.middleware import make_app
application = make_app(load_config(ini))
with getattr(application, "_wsgi_app", application).test_request_context():
    import ckan.model as model
    import ckan.plugins.toolkit as toolkit
    site = toolkit.get_action("get_site_user")({"ignore_auth": True}, {})["name"]
    def context():
        return {"ignore_auth": True, "user": site, "model": model, "session": model.Session}
    user = model.User.get(wanted["name"])
    new = user is None
    if new:
        values = {key: wanted[key] for key in ("name", "email", "password")}
        toolkit.get_action("user_create")(context(), values)
        user = model.User.get(wanted["name"])
    user.state, user.sysadmin = "active", True
    model.Session.add(user)
    model.Session.commit()
    if wanted["token"] == "always" or (wanted["token"] and new):
        made = toolkit.get_action("api_token_create")(context(), {"user": wanted["name"], "name": "ckan-deploy"})
        print(made["token"])
"""
_RUN_SYSADMIN = (
    _STAMP
    + r"""
set -e; umask 077
python=$1/bin/python; ini=$2; code=$3; token=$4; stamp=$5; key=$6
log=$(mktemp); trap 'rm -f "$log" "$token.new"' EXIT
cd /
if [ -n "$token" ]; then out=$token.new; rm -f "$out"; else out=/dev/null; fi
runuser -u www-data -- "$python" -c "$code" "$ini" >"$out" 2>"$log" || { tail -n 20 "$log" >&2; exit 1; }
if [ -n "$token" ] && [ -s "$out" ]; then aside "$token" "$out"; mv -fT "$out" "$token"; fi
[ -z "$token" ] || { test -s "$token"; key="$key $(sha256sum < "$token" | cut -c1-64)"; }
stamp "$stamp" "$key"
"""
)

_INDEX_STAMP = f"{_STAMPS}/index"
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
    _STAMP
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
    _must_reach(current, location)
    if current.stamp == key and not current.pending and not current.missing:
        host.noop("no migration is pending")
        return
    foresight.will_touch(_UPGRADE_STAMP)
    yield script(_UPGRADE, path, ini, _UPGRADE_STAMP, key)


@operation()
def sysadmin(
    path: str,
    ini: str,
    user: str,
    email: str,
    password: HiddenValue,
    location: str,
    secret_key: HiddenValue,
    token: str = "",
) -> Generator[StringCommand, None, None]:
    """Have a first sysadmin, with an API token where one is asked for; an existing user keeps its password.

    + path: of CKAN's virtual environment
    + ini: path of ckan.ini
    + user, email, password: of the sysadmin; the password travels on standard input
    + location: of the database: in another one it is made again
    + secret_key: signs API tokens; with another one a token is worth nothing
    + token: path of a file for an API token, made once per user (0600, root); empty: none

    A stamp says for which database, and with which token, that was done: so a plan knows what a database that is not
    reached yet will need, and a token that was lost, altered or made worthless is made anew. Raises
    ``OperationError`` in execution when the database does not answer.
    """
    stamp = f"{_STAMPS}/sysadmin.{user}"
    current = host.get_fact(Database, path=path, ini=ini, stamp=stamp, user=user)
    _must_reach(current, location)
    signed = hmac.digest(secret_key.unmask().encode(), b"API tokens", "sha256").hex()
    made_for, signed_with, digest = [*(current.stamp or "").split(), "", "", ""][:3]
    token_there = not token or (signed_with == signed and _is_private(token, digest))
    known = current.sysadmin if current.reachable else not current.missing
    if made_for == location and known and token_there and bool(digest) == bool(token):
        host.noop(f"{user} is a sysadmin")
        return
    foresight.will_touch(stamp, *([token] if token else []))
    make = "" if not token else "always" if not token_there else "with the user"  # a former database's is void
    wanted = {"name": user, "email": email, "password": password.unmask(), "token": make}
    arguments = (path, ini, _SYSADMIN, token, stamp, f"{location} {signed}")
    yield script(_RUN_SYSADMIN, *arguments, stdin=json.dumps(wanted))


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
    if current.stamp == key and not current.missing and not current.surplus:
        if current.refused:
            logger.warning(
                f"{host.print_prefix}{current.refused} datasets could not be indexed; see `ckan search-index check`"
            )
        host.noop("the search index holds all datasets")
        return
    foresight.will_touch(_INDEX_STAMP)
    yield script(_REBUILD, path, ini, url, site, _INDEX_STAMP, key, seconds, _DECIDE)


def _must_reach(current: DatabaseState, location: str) -> None:
    if not current.reachable and not foresight.preparing():
        raise OperationError(
            f"CKAN's database at {location} does not answer {host.name}; see `journalctl -u 'postgresql@*'` there"
        )


def _is_private(path: str, digest: str) -> bool:
    """Whether PATH is root's private file with this SHA-256."""
    state = host.get_fact(Managed, path=path).state
    return state == FileState("regular file", 0o600, "root", "root", digest, None)
