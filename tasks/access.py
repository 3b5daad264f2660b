"""Make a user's encrypted access token for DCOR-Aid: ``python -m tasks.access INVENTORY USER``.

``USER.dcor-access`` is a ZIP archive of ``server.cert`` (the portal's certificate) and ``api_key.txt`` (an API token of
that user, encrypted). Its password is asked for, or read from standard input. docs/tls.md says more.
"""

from __future__ import annotations

import argparse
import json
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from pyinfra.api.exceptions import PyinfraError

from deploys.ckan import ENVIRONMENT, INI
from settings.secret import Secret
from settings.secrets import terminal
from tasks import certificate
from tasks.newfile import NewFile
from tasks.portal import Portal, connected, main
from tasks.zip_archive import Member, archive

_SHORTEST = 12  # characters of a password: whoever has the file can try many a second
_SUFFIX = ".dcor-access"

# Through CKAN's own function, as the site's user; the answer is the last line, since CKAN may print others.
_TOKEN = r"""
import json, sys
ini, wanted = sys.argv[1], json.loads(sys.stdin.readline())
from ckan.cli import load_config
from ckan.config.middleware import make_app
application = make_app(load_config(ini))
with getattr(application, "_wsgi_app", application).test_request_context():
    import ckan.model as model
    import ckan.plugins.toolkit as toolkit
    user = model.User.get(wanted["user"])
    answer = {"token": ""}
    if user is not None and user.state == "active":
        site = toolkit.get_action("get_site_user")({"ignore_auth": True}, {})["name"]
        context = {"ignore_auth": True, "user": site, "model": model, "session": model.Session}
        answer = toolkit.get_action("api_token_create")(context, {"user": user.name, "name": wanted["name"]})
    print(json.dumps({"token": answer["token"]}))
"""
_RUN = r"""
set -e; umask 077
python=$1/bin/python; ini=$2; code=$3
[ -x "$python" ] && [ -e "$ini" ] || { echo "there is no CKAN yet; deploy it first" >&2; exit 1; }
log=$(mktemp); trap 'rm -f "$log"' EXIT
cd /; runuser -u www-data -- "$python" -c "$code" "$ini" 2>"$log" || { tail -n 3 "$log" >&2; exit 1; }
"""


def token(portal: Portal, user: str, name: str) -> Secret:
    """Have CKAN make an API token of USER under NAME. Raises ``PyinfraError`` when there is no such active user."""
    lines = portal.run(_RUN, ENVIRONMENT, INI, _TOKEN, stdin=json.dumps({"user": user, "name": name}) + "\n")
    try:
        made = Secret(json.loads(lines[-1])["token"])
    except (IndexError, KeyError, TypeError, ValueError):
        raise PyinfraError(f"{portal.host.name}: CKAN's answer is not understood") from None
    if not made.unmask():
        raise PyinfraError(f"CKAN on {portal.host.name} has no active user {user}; make one first")
    return made


def content(text: str, api_token: Secret, password: Secret) -> bytes:
    """Return the archive of the certificate in TEXT and of API_TOKEN, encrypted with PASSWORD.

    Everybody can fetch the certificate, and tokens all begin alike: encrypted in the same way, they would give the
    cipher away. So the certificate is not encrypted, and blanks by chance, which readers strip, are around the token.
    """
    blanks = ["".join(secrets.choice(" \t\n\r") for _ in range(400)) for _ in range(2)]
    key = f"{blanks[0]}{api_token.unmask()}{blanks[1]}".encode()
    members = {"server.cert": Member(text.encode(), False), "api_key.txt": Member(key, True)}
    return archive(members, password.unmask())


def make(inventory: str, user: str, name: str = "", output: str = "") -> str:
    """Write an access token of USER of INVENTORY's portal into the new file OUTPUT; say so.

    + name: of the token in CKAN, where its owner sees and revokes it; by default with the date
    """
    path = Path(output or f"{user}{_SUFFIX}")
    if path.suffix != _SUFFIX:
        raise PyinfraError(f"DCOR-Aid opens files whose names end with {_SUFFIX}; choose another --output than {path}")
    name = name or f"DCOR-Aid {datetime.now(UTC):%Y-%m-%d}"
    with connected(inventory) as portal, NewFile(path, 0o600) as file:
        text = certificate.exported(portal)
        assert portal.settings.nginx
        fqdn, named = portal.settings.nginx.fqdn, certificate.common_name(text)
        if named != fqdn:
            raise PyinfraError(
                f"DCOR-Aid takes the server's name out of the certificate's common name, which is {named or 'missing'}"
                f", not {fqdn}; have one issued with it, or give users the token alone"
            )
        password = terminal.value(f"the password of {path.name}", _line, _wrong)
        file.write(content(text, token(portal, user, name), password))
    return f"{path}: an API token of {user} for {fqdn}, named {name!r} in CKAN. Give the password by another way."


def _line(text: str) -> Secret:
    """Return what standard input has, without the line break at its end."""
    return Secret(text.removesuffix("\n").removesuffix("\r"))


def _wrong(password: Secret) -> str:
    """Say what is wrong with PASSWORD; "" when nothing is."""
    text = password.unmask()
    if len(text) < _SHORTEST:
        return f"it must have at least {_SHORTEST} characters, since whoever has the file can try many a second"
    return "it must be one line, without control characters" if not text.isprintable() else ""


def _arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tasks.access", description="Make a user's encrypted access token for DCOR-Aid."
    )
    parser.add_argument("inventory", metavar="INVENTORY", help="as pyinfra takes it: inventory/production.py")
    parser.add_argument("user", metavar="USER", help="name of a user of the portal")
    parser.add_argument(
        "--token-name", metavar="NAME", default="", help="of the token in CKAN; by default with the date"
    )
    parser.add_argument("--output", metavar="FILE", default="", help=f"a new file; by default USER{_SUFFIX}")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    options = _arguments()
    main(lambda: make(options.inventory, options.user, options.token_name, options.output))
