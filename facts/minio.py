"""Facts about MinIO, asked of its admin API; no secret of it leaves the host."""

from __future__ import annotations

import json
from dataclasses import dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.exceptions import FactProcessError
from typing_extensions import override

from facts.stdin import REST
from facts.value import Value

# Begins every script that talks to MinIO: ``admin(name, secret)`` and ``client(name, secret)``. What comes on standard
# input is one line of JSON. The server is asked by loopback, and must show the certificate in the file, whoever issued
# it. A wait: MinIO may have been started a moment ago.
CONNECT = r"""
import json, ssl, sys, time
port, fqdn, certificate, root, user, policy, key, wait = sys.argv[1:]
given = json.loads(sys.stdin.readline())
import urllib3
from minio import Minio
from minio.credentials import StaticProvider
from minio.error import MinioAdminException, S3Error
from minio.minioadmin import MinioAdmin
NAME = "ckan-deploy"  # of the keys that we make
def pool():
    context = ssl.create_default_context(cafile=certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return urllib3.PoolManager(
        ssl_context=context, server_hostname=fqdn, timeout=urllib3.Timeout(5, 20), retries=False
    )
def admin(name, secret):
    return MinioAdmin(endpoint="127.0.0.1:" + port, credentials=StaticProvider(name, secret), http_client=pool())
def client(name, secret):
    return Minio("127.0.0.1:" + port, name, secret, region="us-east-1", http_client=pool())
def wait_for(ask):
    end = time.monotonic() + float(wait)
    while True:
        try:
            return ask()
        except (MinioAdminException, OSError, urllib3.exceptions.HTTPError) as error:
            if getattr(error, "_code", "") in ("403", "401", "404") or time.monotonic() >= end:
                raise
            time.sleep(0.5)
"""
LOOK = r"""
def look():
    found = {"answers": False, "policy": "", "enabled": False, "works": False, "surplus": []}
    server = admin(root, given["root_password"])
    try:
        described = json.loads(wait_for(lambda: server.user_info(user)))
    except Exception as error:
        try:
            said = json.loads(error._body)
        except (AttributeError, ValueError):
            said = {"Message": str(error)}
        found["answers"] = said.get("Code") == "XMinioAdminNoSuchUser"
        found["error"] = "" if found["answers"] else said.get("Message", "")[:300]
        return found
    found["answers"] = True
    found["policy"] = described.get("policyName", "")
    found["enabled"] = described.get("status") == "enabled"
    listed = json.loads(server.list_service_account(user)).get("accounts") or []
    found["surplus"] = sorted(
        one["accessKey"] for one in listed if one.get("name") == NAME and one["accessKey"] != key
    )
    if any(one["accessKey"] == key and one.get("accountStatus") == "on" for one in listed):
        try:
            client(key, given["secret"]).list_buckets()
            found["works"] = True
        except S3Error:
            pass
    return found
"""
_SCRIPT = CONNECT + LOOK + "print(json.dumps(look()))\n"


@dataclass(frozen=True)
class AccessState(Value):
    """How a user and its access key stand.

    + stamp: what an operation noted of what it set up; None where nothing is
    + answers: the server answers its administrator; all that follows is known only then
    + error: else, what it said
    + policy, enabled: of the user; "" and False where there is none
    + works: the access key is the user's, and its secret is the wanted one
    + surplus: other access keys of the user that we made
    """

    stamp: str | None = None
    answers: bool = False
    error: str = ""
    policy: str = ""
    enabled: bool = False
    works: bool = False
    surplus: tuple[str, ...] = ()


class Access(FactBase[AccessState]):
    """How a user of MinIO and its access key stand.

    + path: of the environment that has MinIO's library
    + port: of the server, on loopback
    + fqdn: name that its certificate must bear
    + certificate: PEM file on the host that it must show
    + root: name of its administrator
    + user: of whom
    + key: access key
    + stamp: path of what was noted
    + wait: seconds for a server that does not answer yet

    On standard input (``_stdin``): one line of JSON with ``root_password`` and the access key's ``secret``.
    """

    @override
    def command(
        self, path: str, port: int, fqdn: str, certificate: str, root: str, user: str, key: str, stamp: str,
        wait: int = 0,
    ) -> StringCommand:  # fmt: skip
        """Build the one command of this fact; without an environment only the stamp is there."""
        python = QuoteString(f"{path}/bin/python")
        arguments = map(QuoteString, (str(port), fqdn, certificate, root, user, "", key, str(wait)))
        seen = ("LC_ALL=C stat -c '%a %U %F'", QuoteString(stamp), "2>/dev/null")
        return StringCommand(
            'if [ "$(', *seen, ')" = "600 root regular file" ]; then printf "stamp %s\\n" "$(cat', QuoteString(stamp),
            ')"; fi;', "if [ -x", python, "]; then", python, "-I -c", QuoteString(_SCRIPT), *arguments, "; fi", *REST,
        )  # fmt: skip

    @staticmethod
    @override
    def default() -> AccessState:
        """There is no MinIO."""
        return AccessState()

    @override
    def process(self, output: list[str]) -> AccessState:
        """Parse the lines; raises ``FactProcessError`` with the output shown."""
        stamp, lines = None, list(output)
        if lines and lines[0].startswith("stamp "):
            stamp = lines.pop(0).partition(" ")[2]
        try:
            found = json.loads(lines[-1]) if lines else {}
            return AccessState(stamp=stamp, **{**found, "surplus": tuple(found.get("surplus", ()))})
        except (AttributeError, TypeError, ValueError):
            raise FactProcessError(f"what MinIO answered is not understood: {output!r}") from None
