"""Stamps: what an operation notes on the host of what it did, for what nothing else there can tell."""

from __future__ import annotations

import hashlib

from operations.files import ASIDE

FOLDER = "/var/lib/ckan-deploy/ckan"


def verifier(secret: str, salt: str) -> str:
    """Return what tells SECRET from another one, and is slow to guess from (scrypt, RFC 7914)."""
    return hashlib.scrypt(secret.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=32).hex()


# Facts take a stamp for one only if it is root's own regular file of this mode.
# It is private since one of them tells a little of a password.
WRITE = (
    ASIDE
    + r"""
stamp() {
  (umask 022; mkdir -p "$(dirname "$1")"); umask 077; rm -f "$1.new"; printf '%s\n' "$2" > "$1.new"
  aside "$1" "$1.new"; mv -fT "$1.new" "$1"
}
"""
)
# Note $2 at $1.
NOTE = WRITE + 'set -e; stamp "$1" "$2"'
