"""Ask an object storage whether it does what DCOR needs, before CKAN is told of it."""

from __future__ import annotations

from collections.abc import Generator
from hashlib import sha256
from io import StringIO
from typing import Any

from pyinfra import host
from pyinfra.api import StringCommand, operation
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.hiddenvalue import HiddenValue

from facts.s3 import Semantics, SemanticsState
from operations import foresight, stamps
from operations.files import script
from operations.trust import SYSTEM

# What was found good; a portal that has no object storage any more forgets it.
STAMP = f"{stamps.FOLDER}/object-storage"

# Once it was found to do all, only whether it is there is asked: any answer will do.
_ASK = r"""
IFS= read -r wanted
seen=$(LC_ALL=C stat -c '%a %U %F' "$1" 2>/dev/null) || :
if [ "$seen" = "600 root regular file" ] && [ "$(cat "$1")" = "$wanted" ]; then
  if [ -n "$3" ]; then bundle=$(mktemp); trap 'rm -f "$bundle"' EXIT; cat "$4" "$3" > "$bundle"; fi
  said=$(curl --silent --show-error --max-time 20 --output /dev/null $2 ${3:+--cacert "$bundle"} -- "$5" 2>&1) &&
    echo known || echo "unreachable $said"
fi
"""
_NOTE = stamps.WRITE + 'IFS= read -r key; stamp "$1" "$key"'


@operation()
def check(
    path: str, endpoint: str, key: str, secret: HiddenValue, bucket: str, verify: bool = True, ca: str = ""
) -> Generator[StringCommand, None, None]:
    """Fail unless an object storage does what DCOR needs; never a change.

    + path: of the virtual environment that will use it, with boto3 and requests
    + endpoint, key, secret: of the object storage
    + bucket: template of the names of buckets, with ``{organization_id}``
    + verify: check its certificate, by what the environment trusts
    + ca: file of certificates on the host that are trusted beside the system's own; empty: what the environment trusts
      once nothing else is (``trust.environment``)

    Only evaluated while commands are run, and before CKAN is configured or trusts anybody else, so that a portal that
    works goes on with what it has. All is tried once for each combination of these arguments, as a stamp says; else
    whether it answers.
    """
    if foresight.preparing():
        host.noop("the object storage is asked before it is used")
        return
    about = "\n".join((endpoint, key, bucket, str(verify), ca))
    noted = f"{sha256(about.encode()).hexdigest()} {stamps.verifier(secret.unmask(), about)}"
    where = (STAMP, "" if verify else "--insecure", ca if verify else "", SYSTEM, endpoint)
    said = _run(script(_ASK, *where, stdin=noted)).strip()
    if said == "known":
        host.noop("the object storage is there")
        return
    found = (
        SemanticsState("unreachable", (said.partition(" ")[2],))
        if said
        else _semantics(path, endpoint, key, secret, bucket, verify, ca)
    )
    if found.state != "works":
        yield script('printf "%s\\n" "$1" >&2; exit 1', trouble(found, endpoint, key, host.name))
        return
    _run(script(_NOTE, STAMP, stdin=noted))
    host.noop("the object storage does all that is needed")


def trouble(found: SemanticsState, endpoint: str, key: str, name: str) -> str:
    """Say in one sentence what is wrong with an object storage, and what to do. Nothing of CKAN was changed then."""
    detail = "; ".join(found.lacks)
    if found.state == "unreachable":
        return (
            f"the object storage {endpoint} cannot be reached from {name} ({detail}); check that name and port lead "
            "there, and that it runs; CKAN was not changed"
        )
    if found.state == "certificate":
        return (
            f"the certificate of the object storage {endpoint} is not trusted on {name} ({detail}); where a private CA "
            "issued it, name that in object_storage_ca_file; CKAN was not changed"
        )
    if found.state == "refused":
        return (
            f"the object storage {endpoint} refuses the access key {key} ({detail}); check it and its secret: "
            "object_storage_access_key_id and object_storage_secret_access_key; CKAN was not changed"
        )
    if found.state == "lacks":
        return (
            f"the object storage {endpoint} lacks what DCOR needs: {detail}; see docs/object-storage.md for those that "
            "do; CKAN was not changed"
        )
    return f"what the object storage {endpoint} does cannot be told ({detail or 'no answer'}); CKAN was not changed"


def _semantics(
    path: str, endpoint: str, key: str, secret: HiddenValue, bucket: str, verify: bool, ca: str
) -> SemanticsState:
    """Ask now; not as a fact, which may be answered from what was read before other hosts were changed."""
    fact = Semantics()
    trusts = (SYSTEM, ca) if ca else (SYSTEM,)
    command = fact.command(path=path, endpoint=endpoint, key=key, bucket=bucket, verify=verify, trusts=trusts)
    output = _run(StringCommand(command, _stdin=StringIO(f"{secret.unmask()}\n")))
    try:
        return fact.process(output.splitlines())
    except FactProcessError:
        return SemanticsState("unknown", tuple(output.splitlines()[-1:]))


def _run(command: StringCommand) -> str:
    """Run COMMAND on the host now; its output, errors included where it failed."""
    arguments: dict[str, Any] = dict(host.current_op_global_arguments or {})
    connector = {name: value for name, value in arguments.items() if name in CONNECTOR_ARGUMENT_KEYS}
    connector |= command.connector_arguments
    succeeded, output = host.run_shell_command(command, **connector)
    return str(output.stdout if succeeded else output.output)
