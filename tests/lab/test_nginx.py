"""The portal's nginx, asked from outside, with the real CKAN behind it."""

from __future__ import annotations

from tests.lab import checks_nginx
from tests.lab.acceptance import Portal


def test_tls_names_and_headers(portal: Portal) -> None:
    checks_nginx.all_of_tls(portal.address, portal.fqdn, portal.cafile)
