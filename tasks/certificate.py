"""Export the portal's certificate for its users: ``python -m tasks.certificate INVENTORY [--output FILE]``.

It is read from the host, over SSH: so it is the portal's own, which no other way could promise. A chain that ends in
what a root issued is completed with that root, out of this machine's own list: users need not have it.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from pyinfra.api.exceptions import PyinfraError

from settings import chain
from tasks.newfile import NewFile
from tasks.portal import Portal, connected, main

# Only certificates: a file that also holds its key must not give it away.
_READ = "sed -n '/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/p' \"$1\""


def exported(portal: Portal) -> str:
    """Return the chain that PORTAL shows, with its root. Raises ``PyinfraError`` when it cannot be used."""
    tls = portal.settings.tls
    assert tls, "a portal has a certificate"
    text = "\n".join(portal.run(f'[ ! -s "$1" ] || {_READ}', tls.certificate_path)) + "\n"
    if not text.strip():
        raise PyinfraError(f"{portal.host.name} has no certificate in {tls.certificate_path}; deploy it first")
    try:
        found = chain.certificates(text, f"{tls.certificate_path} of {portal.host.name}")
    except ValueError as error:
        raise PyinfraError(str(error)) from None
    if found[0].not_valid_after_utc <= datetime.now(UTC):
        raise PyinfraError(f"the certificate of {tls.fqdn} has expired; run the deploy, which renews it")
    root = chain.root_of(found[-1], chain.trusted_roots())
    return text + (root.public_bytes(Encoding.PEM).decode() if root else "")


def common_name(text: str) -> str:
    """Return the common name of the first certificate in TEXT; "" where it has none."""
    names = x509.load_pem_x509_certificates(text.encode())[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def export(inventory: str, output: str = "") -> str:
    """Write the certificate of INVENTORY's portal into the new file OUTPUT, by default FQDN.cert; say so."""
    with connected(inventory) as portal:
        assert portal.settings.nginx
        path = Path(output or f"{portal.settings.nginx.fqdn}.cert")
        with NewFile(path, 0o644) as file:
            text = exported(portal)
            file.write(text.encode())
    first = x509.load_pem_x509_certificates(text.encode())[0]
    return f"{path}: the certificate of {portal.settings.nginx.fqdn}, valid until {first.not_valid_after_utc:%Y-%m-%d}."


def _arguments(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tasks.certificate", description="Export the portal's certificate.")
    parser.add_argument("inventory", metavar="INVENTORY", help="as pyinfra takes it: inventory/production.py")
    parser.add_argument("--output", metavar="FILE", default="", help="a new file; by default FQDN.cert")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    options = _arguments()
    main(lambda: export(options.inventory, options.output))
