"""The portal's nginx, asked from outside, with the real CKAN behind it."""

from __future__ import annotations

import pytest

from settings.portal import PortalSettings
from tests.lab.harness import nginx_checks
from tests.lab.harness.acceptance import Portal
from tests.lab.harness.deployments import Deployment

pytestmark = pytest.mark.portal("ckan", "dcor", crossed=True)

LIMIT = PortalSettings.model_fields["upload_limit"].default


def test_tls_names_and_headers(portal: Portal) -> None:
    nginx_checks.all_of_tls(portal.address, portal.fqdn, portal.cafile)


def test_the_largest_request_is_the_largest_upload(portal: Portal) -> None:
    nginx_checks.largest_request(portal.address, portal.fqdn, portal.cafile, LIMIT)


def test_what_is_refused_is_what_the_flavour_refuses(portal: Portal, deployment: Deployment) -> None:
    """A CKAN is open for all that CKAN does; a DCOR has lists of what may be read and written."""
    check = nginx_checks.dcor_is_closed if deployment.flavour == "dcor" else nginx_checks.ckan_is_open
    check(portal.address, portal.fqdn, portal.cafile)
