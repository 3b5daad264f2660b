"""Each setting and each secret that the lab's tests change has an effect of its own.

On a host, several are changed at once: a run that "changed something" would not show that one of them was forgotten. So
here each is changed alone, offline, and the operations must be asked for something else: other arguments, such as the
text of a file, or other commands.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests import issued
from tests.lab.harness.other_values import (
    OTHER,
    OTHER_DCOR,
    OTHER_EXTERNAL,
    OTHER_MINIO,
    SECRETS,
    SECRETS_EXTERNAL,
    SECRETS_MINIO,
    SILENT,
)
from tests.plan import effects
from tests.plan.effects import Portal

# Operations that change nothing, and those that make something once: another argument alone makes them change nothing
# on a host that has it.
WAITS = {"Smoke | Check that the portal answers"}
ONCE = {
    *WAITS,
    "CKAN | Have all datasets in the search index",
    "CKAN | Make the first sysadmin",
    "TLS | Make the self-signed certificate",
}
# These have an effect on no host: they let a run go on, or stop it, before it changes anything.
STOPS_ONLY = {"base_leave_behind", "base_take_over", "ckan_database_leave_behind", "dcor_scratch_space"}

PLAIN = Portal({"portal_flavour": "ckan"})
DCOR = Portal({"portal_flavour": "dcor"}, minio=True)
MAIL = {"ckan_smtp_server": "192.0.2.25:25", "ckan_mail_from": "somebody@portal.test"}
PATCHING_MAIL = {
    "patching_smtp_server": "192.0.2.25:25",
    "patching_mail_from": "somebody@portal.test",
    "patching_mail_to": "somebody@portal.test",
}
SHOWN = issued.self_signed("portal.test"), issued.self_signed("portal.test")
# The other portals on which some are changed, where these are valid or have an effect there only.
PLACES: dict[str, Portal] = {
    **{name: PLAIN.but(**PATCHING_MAIL) for name in OTHER if name.startswith(("patching_smtp", "patching_mail"))},
    **{name: PLAIN.but(**MAIL) for name in OTHER if name.startswith(("ckan_smtp", "ckan_mail", "ckan_email"))},
    "patching_smtp_password": PLAIN.but(**PATCHING_MAIL, patching_smtp_user="mailer"),
    "ckan_smtp_password": PLAIN.but(**MAIL, ckan_smtp_user="mailer"),
    "ckan_api_token_secret": PLAIN.but(ckan_api_token_own_secret=True),
    "ckan_plugins": PLAIN.but(ckan_default_views=["text_view"]),
    **{name: DCOR for name in OTHER if name.startswith(("workers_dcor", "scheduled"))},
    **{name: DCOR for name in ("nginx_read_paths", "nginx_write_paths", "nginx_blocked_extensions")},
    "nginx_dcor_aid_minimum": DCOR,
    "dcor_notify_user_create": DCOR.but(**MAIL, ckan_email_to="operator@portal.test"),
}


def _portals(values: Mapping[str, Any], place: Portal) -> dict[str, tuple[Portal, Portal]]:
    """For each of VALUES a portal, by default PLACE, and the same with the other value."""
    return {name: (at := PLACES.get(name, place), at.but(**{name: value})) for name, value in values.items()}


def _secret(name: str, place: Portal) -> tuple[Portal, Portal]:
    at = PLACES.get(name, place)
    return at, at.but_secret(name, f"another-{name}")


def _of_any_portal(folder: Path) -> dict[str, tuple[Portal, Portal]]:
    first, second = SHOWN
    prepared = PLAIN.but_secret("tls_key", first.key)
    # Valid together only.
    shows = prepared.but(tls_source="provided", tls_certificate_file=first.write(folder, "first.pem"))
    another = shows.but(tls_certificate_file=second.write(folder, "second.pem")).but_secret("tls_key", second.key)
    made_by_tests = {"solr_sha512": "e" * 128}
    return {
        **_portals({**OTHER, **made_by_tests}, PLAIN),
        **{name: _secret(name, PLAIN) for name in SECRETS},
        "tls_source": (prepared, shows),
        "tls_certificate_file": (shows, another),
        "tls_key": (shows, another),
    }


def _of_dcor(folder: Path) -> dict[str, tuple[Portal, Portal]]:
    return {
        **_portals({**OTHER_DCOR, **OTHER_MINIO, "minio_sha256": "e" * 64}, DCOR),
        **{name: _secret(name, DCOR) for name in SECRETS_MINIO},
    }


def _of_an_external_storage(folder: Path) -> dict[str, tuple[Portal, Portal]]:
    authorities = []
    for name in ("one.pem", "two.pem"):
        authorities.append(folder / name)
        authorities[-1].write_text(issued.Authority().pem)
    data = {
        "object_storage_endpoint": "https://s3.example.org",
        "object_storage_access_key_id": "AKEXAMPLE",
        "object_storage_ca_file": str(authorities[0]),
    }
    external = Portal({**DCOR.data, **data})
    public = external.but(object_storage_ca_file="")
    return {
        **_portals({**OTHER_EXTERNAL, "object_storage_ca_file": str(authorities[1])}, external),
        "object_storage_ssl_verify": (public, public.but(object_storage_ssl_verify=False)),
        **{name: _secret(name, external) for name in SECRETS_EXTERNAL},
    }


# What was asked for on which portal, since several tests compare with the same.
NOTED: dict[str, effects.Notes] = {}
Pairs = Callable[[Path], dict[str, tuple[Portal, Portal]]]


@pytest.mark.parametrize("pairs", [_of_any_portal, _of_dcor, _of_an_external_storage])
def test_each_has_an_effect_of_its_own(pairs: Pairs, tmp_path: Path) -> None:
    found = _changed(pairs(tmp_path), tmp_path)
    without = {name for name, operations in found.items() if not operations - (set() if name in SILENT else WAITS)}
    assert without == STOPS_ONLY & found.keys()


def test_what_is_silent_by_itself_is_so_on_a_plain_portal(tmp_path: Path) -> None:
    """On a host that has what is made once; the lab's tests do not expect a change there."""
    pairs = {name: (PLAIN, PLAIN.but(**{name: OTHER[name]})) for name in SILENT - set(SECRETS)}
    pairs |= {name: (PLAIN, PLAIN.but_secret(name, f"another-{name}")) for name in SILENT & set(SECRETS)}
    found = _changed(pairs, tmp_path)
    loud = {name: operations - ONCE for name, operations in found.items() if operations - ONCE}
    assert loud == {}


def _changed(pairs: Mapping[str, tuple[Portal, Portal]], folder: Path) -> dict[str, set[str]]:
    """The operations that are asked for something else with the second portal of each pair than with the first."""
    portals = {repr(portal): portal for pair in ((PLAIN, PLAIN), *pairs.values()) for portal in pair}
    new = [portal for key, portal in portals.items() if key not in NOTED]
    again, *noted = effects.notes([PLAIN, *new], folder)
    NOTED.update(zip(map(repr, new), noted, strict=True))
    salted = again ^ NOTED[repr(PLAIN)]
    return {name: effects.changed(NOTED[repr(one)], NOTED[repr(other)], salted) for name, (one, other) in pairs.items()}
