"""Keep which certificates programs trust, where the system's own are not enough."""

from __future__ import annotations

from collections.abc import Generator

from pyinfra import host
from pyinfra.api import StringCommand, operation

from facts.certificate import Joined
from facts.files import Managed, leftover_path
from operations import foresight
from operations.files import ASIDE, script

SYSTEM = "/etc/ssl/certs/ca-certificates.crt"  # what the system trusts, in one file

_JOIN = (
    ASIDE
    + r"""
set -e; umask 022
dest=$1; new=$2; shift 2
rm -f "$new"; cat -- "$@" > "$new"
chown root:root "$new"; chmod 644 "$new"; sync "$new"; aside "$dest" "$new"; mv -fT "$new" "$dest"
"""
)
_LINK = ASIDE + 'set -e; test -d "${1%/*}"; ln -sfn "$2" "$3"; aside "$1" "$3"; mv -fT "$3" "$1"'


@operation()
def bundle(dest: str, more: str, system: str = SYSTEM) -> Generator[StringCommand, None, None]:
    """Keep one file of the certificates that the system trusts, and of more.

    + dest: absolute path; its folder must exist when the operation runs
    + more: absolute path of a PEM file on the host
    + system: that of the system's own

    Both may change at any time, so the file is compared with what they are now.
    """
    if host.get_fact(Joined, path=dest, parts=(system, more)) and not foresight.touched(system, more):
        host.noop(f"{dest} is as wanted")
        return
    foresight.will_touch(dest)
    yield script(_JOIN, dest, leftover_path(dest), system, more)


@operation()
def environment(path: str, python: str, bundle: str) -> Generator[StringCommand, None, None]:
    """Have what runs in a virtual environment trust the certificates in a file, in place of certifi's own.

    + path: of the virtual environment; it is there, with certifi, when the operation runs
    + python: its version, as "3.12"
    + bundle: absolute path of the file; empty: certifi's own, or the system's where ours were trusted before

    There is no other way: with ``verify=True``, as DCOR calls it, boto3 looks at no variable of its environment.
    """
    file = f"{path}/lib/python{python}/site-packages/certifi/cacert.pem"
    state = host.get_fact(Managed, path=file).state
    new = foresight.replaced(path)  # it will be built anew, with certifi's own
    target = None if new or state is None else state.target
    wanted = bundle or (SYSTEM if target else None)
    if target == wanted:
        host.noop(f"{file} is as wanted")
        return
    foresight.will_touch(file)
    yield script(_LINK, file, wanted, leftover_path(file))
