"""The portal's nginx, asked from outside, with the real CKAN behind it."""

from __future__ import annotations

import pytest

from tests.lab.harness import nginx_checks
from tests.lab.harness.acceptance import Portal

pytestmark = pytest.mark.portal("ckan", "dcor", crossed=True)


def test_tls_names_and_headers(portal: Portal) -> None:
    nginx_checks.all_of_tls(portal.address, portal.fqdn, portal.cafile)
