"""Make CKAN's first sysadmin."""

from __future__ import annotations

import hmac
import json
from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation
from pyinfra.api.hiddenvalue import HiddenValue

from facts.ckan import Database
from facts.files import FileState, Managed
from operations import foresight, stamps
from operations.ckan import must_reach
from operations.ckan_identity import becomes_empty
from operations.files import script

# Through CKAN's own functions, since its command line would show the password in argv. The token is written by the
# process that made it, into a file that was private from the start.
_SYSADMIN = r"""
import json, os, sys
os.umask(0o022)  # for the folders of uploads that CKAN makes
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
    user = model.User.get(wanted["name"])  # one that was deleted, too
    new = user is None
    if new:
        values = {key: wanted[key] for key in ("name", "email", "password")}
        toolkit.get_action("user_create")({**context(), "defer_commit": True}, values)
        user = model.User.get(wanted["name"])
    elif wanted["rotated"]:
        user.password = wanted["password"]
    if new or (wanted["first"] and user.state == "active"):
        user.sysadmin = True
    model.Session.add(user)
    model.Session.commit()
    if user.state == "active" and (wanted["token"] == "always" or (wanted["token"] and new)):
        made = toolkit.get_action("api_token_create")(context(), {"user": wanted["name"], "name": "ckan-deploy"})
        print(made["token"])
"""
_RUN_SYSADMIN = (
    stamps.WRITE
    + r"""
set -e; umask 077
python=$1/bin/python; ini=$2; code=$3; token=$4; stamp=$5
IFS= read -r key  # here, not among the arguments, since it tells a little of the password
log=$(mktemp); trap 'rm -f "$log" "$token.new"' EXIT
cd /
if [ -n "$token" ]; then out=$token.new; rm -f "$out"; else out=/dev/null; fi
runuser -u www-data -- "$python" -c "$code" "$ini" >"$out" 2>"$log" || { tail -n 20 "$log" >&2; exit 1; }
if [ -n "$token" ] && [ -s "$out" ]; then aside "$token" "$out"; mv -fT "$out" "$token"; fi
[ -z "$token" ] || { test -s "$token"; key="$key $(sha256sum < "$token" | cut -c1-64)"; }
stamp "$stamp" "$key"
"""
)


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
    """Have a first sysadmin, with an API token where one is asked for.

    + path: of CKAN's virtual environment
    + ini: path of ckan.ini
    + user, email, password: of the sysadmin; the password travels on standard input
    + location: of the database: in another one it is made again
    + secret_key: signs API tokens; with another one a token is worth nothing
    + token: path of a file for an API token, made once per user (0600, root); empty: none

    What people do with the account afterwards is their business: one that they deleted stays so, and one that they took
    the role from does not get it back. Only where no earlier run made it, an account that is there already becomes a
    sysadmin. It keeps the password that it has, which may be one that somebody chose on the portal, until another one
    is wanted here than an earlier run was given: then that was rotated, and the account gets it.

    A stamp says for which database, with which token and which password that was done: so a plan knows what a
    database that is not reached yet will need, and a token that was lost, altered or made worthless is made anew,
    unless the account was deleted. Raises ``OperationError`` in execution when the database does not answer.
    """
    stamp = f"{stamps.FOLDER}/sysadmin.{user}"
    current = host.get_fact(Database, path=path, ini=ini, stamp=stamp, user=user)
    must_reach(current, location)
    signed = hmac.digest(secret_key.unmask().encode(), b"API tokens", "sha256").hex()
    given = stamps.verifier(password.unmask(), f"{location} {user}")
    made_for, signed_with, was_given, digest = [*(current.stamp or "").split(), "", "", "", ""][:4]
    if current.user not in ("", "active"):
        token = ""  # it would be of no use
    settled = not token or (signed_with == signed and _is_private(token, digest))
    there = (bool(current.user) if current.reachable else not current.missing) and not becomes_empty()
    rotated = made_for == location and was_given != given
    unused = bool(digest) and not token and current.user in ("", "active")
    if made_for == location and there and not rotated and settled and not unused:
        host.noop(f"{user} was made")
        return
    foresight.will_touch(stamp, *([token] if token else []))
    make = "" if not token else "always" if not settled else "with the user"  # a former database's is void
    wanted = {"name": user, "email": email, "password": password.unmask(), "rotated": rotated, "token": make}
    stdin = f"{location} {signed} {given}\n{json.dumps({**wanted, 'first': not current.stamp})}"
    yield script(_RUN_SYSADMIN, path, ini, _SYSADMIN, token, stamp, stdin=stdin)


def _is_private(path: str, digest: str) -> bool:
    """Whether PATH is root's private file with this SHA-256."""
    state = host.get_fact(Managed, path=path).state
    return state == FileState("regular file", 0o600, "root", "root", digest, None)
