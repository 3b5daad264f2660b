"""Keep a user of MinIO and the access key that CKAN uses."""

from __future__ import annotations

import json
from collections.abc import Generator
from hashlib import sha256
from io import StringIO

from pyinfra import host
from pyinfra.api import OperationError, StringCommand, operation
from pyinfra.api.hiddenvalue import HiddenValue

from facts.minio import CONNECT, LOOK, Access, AccessState
from operations import foresight, stamps
from operations.files import script

FOLDER = "/var/lib/ckan-deploy/minio"  # where it is, MinIO is ours
_STAMP = f"{FOLDER}/access"
_WAIT = 60  # seconds for MinIO to answer after its start

# As its administrator, and for the key as the user itself: MinIO's library makes keys of whoever asks. For that the
# user gets a password by chance, which nobody learns. The secret's verifier is noted here, not given among arguments.
_SET_UP = (
    CONNECT
    + LOOK
    + r"""
import secrets
now = look()
if not now["answers"]:
    sys.exit("MinIO does not answer its administrator: " + now.get("error", ""))
server = admin(root, given["root_password"])
password = secrets.token_urlsafe(30)
keys = json.loads(server.list_service_account(user)).get("accounts") or [] if now["policy"] or now["enabled"] else []
if not now["works"]:
    owner = None
    try:
        owner = json.loads(server.get_service_account(key)).get("parentUser")
    except MinioAdminException:
        pass
    if owner == user:
        server.update_service_account(access_key=key, secret_key=given["secret"], status="on", name=NAME)
    else:
        if owner:
            server.delete_service_account(key)
        server.user_add(user, password)
        server.policy_set(policy, user=user)
        admin(user, password).add_service_account(
            access_key=key, secret_key=given["secret"], name=NAME, description="CKAN's, made by ckan-deploy"
        )
if not now["enabled"]:
    try:
        server.user_enable(user)
    except MinioAdminException:
        server.user_add(user, password)
server.policy_set(policy, user=user)
for other in now["surplus"]:
    server.delete_service_account(other)
after = look()
if not (after["works"] and after["enabled"] and after["policy"] == policy and not after["surplus"]):
    sys.exit("MinIO did not take the access key: " + json.dumps(after))
"""
)
_RUN = (
    stamps.WRITE
    + r"""
set -e
python=$1/bin/python; code=$2; stamp=$3; shift 3
IFS= read -r key  # here, not among the arguments, since it tells a little of the secret
"$python" -I -c "$code" "$@"
stamp "$stamp" "$key"
"""
)


@operation()
def access(
    path: str,
    port: int,
    fqdn: str,
    certificate: str,
    data: str,
    root_user: str,
    root_password: HiddenValue,
    user: str,
    policy: str,
    key: str,
    secret: HiddenValue,
) -> Generator[StringCommand, None, None]:
    """Have a user with a policy, and of its access keys exactly one that we made.

    + path: of the environment that has MinIO's library
    + port: of the server, which is asked by loopback
    + fqdn, certificate: name and PEM file of the certificate that it must show
    + data: its folder: with another one it knows no user
    + root_user, root_password: of its administrator
    + user: its name; nobody knows its password
    + policy: of the user: the name of one that MinIO has
    + key, secret: of the access key; another key that we made is removed

    A stamp says for what that was done, so that a plan knows what a server that does not run yet will need. Secrets
    travel on standard input. Raises ``OperationError`` in execution when the server does not answer.
    """
    given = json.dumps({"root_password": root_password.unmask(), "secret": secret.unmask()})
    about = (str(port), fqdn, certificate, root_user, user, policy, key)
    stamp = sha256("\n".join((data, user, policy, key)).encode()).hexdigest()
    stamp = f"{stamp} {stamps.verifier(secret.unmask(), f'{data} {key}')}"
    current: AccessState = host.get_fact(
        Access, path=path, port=port, fqdn=fqdn, certificate=certificate, root=root_user, user=user, key=key,
        stamp=_STAMP, wait=0 if foresight.preparing() else _WAIT, _stdin=StringIO(f"{given}\n"),
    )  # fmt: skip
    if not current.answers and not foresight.preparing():
        raise OperationError(
            f"MinIO on {host.name} does not answer its administrator ({current.error or 'no answer'}); see `journalctl "
            "-u minio` there"
        )
    settled = current.enabled and current.policy == policy and current.works and not current.surplus
    if current.stamp == stamp and (settled or not current.answers):
        host.noop(f"{key} is the access key of {user}")
        return
    foresight.will_touch(_STAMP)
    yield script(_RUN, path, _SET_UP, _STAMP, *about, _WAIT, stdin=f"{stamp}\n{given}\n")
