"""What the plan lists is what the run changes: after a change of each setting, and back again.

In batches by component, each from the state that the one before left, so that a step changes some settings and sets
others back. With ``--long`` one setting at a time. The bare and the converged host are in test_converge, drifted ones
in test_drift.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from settings.host import COMPONENTS
from tests.lab import harness, oracle, summary, variants
from tests.lab.stage import FQDN, NAME, RELEASES, Stage

pytestmark = pytest.mark.guarantee

EXTENSION = {
    "requirements": [
        "ckanext-hierarchy==1.2.0 --hash=sha256:1344430ce8f3d48277b254f8e36b60949a1d0431ce86b104b79eb2305a6f3092"
    ],
    "plugins": ["hierarchy_display"],
    "options": {"ckan.feeds.author_name": "hierarchy"},
}

# Another valid value for each setting. Files and the other Solr are made by the fixture `other`.
OTHER: dict[str, Any] = {
    "portal_fqdn": "other.portal.test",
    "portal_upload_limit": 77,
    "base_admin_tools": True,
    "base_journal_limit": "150M",
    "firewall_clients": ["192.0.2.9"],
    "postgresql_port": 5433,
    "postgresql_role": "other_role",
    "postgresql_database": "other_database",
    "postgresql_max_connections": 90,
    "postgresql_shared_buffers": "100MB",
    "redis_port": 6380,
    "redis_maxmemory": "200mb",
    "solr_version": "9.10.0",
    "solr_sha512": "",
    "solr_mirror": "http://127.0.0.1:8099",
    "solr_port": 8984,
    "solr_heap": "400m",
    "solr_core": "other",
    "ckan_site_id": "other",
    "ckan_site_title": "Other 100 %",
    "ckan_locale": "de",
    "ckan_plugins": ["activity", "text_view"],
    "ckan_default_views": ["text_view"],
    "ckan_extensions": [EXTENSION],
    "ckan_options": {"ckan.site_about": "About 100 %"},
    "ckan_storage_path": "/var/lib/ckan/other",
    "ckan_webassets_path": "/var/lib/ckan/other-webassets",
    "ckan_start_seconds": 170,
    "ckan_reindex_seconds": 1800,
    "ckan_database_leave_behind": "127.0.0.1:5432/ckan_default",
    "ckan_sysadmin": "other-admin",
    "ckan_sysadmin_email": "other@portal.test",
    "ckan_sysadmin_token": False,
    "ckan_smtp_server": "127.0.0.1:25",
    "ckan_smtp_starttls": False,
    "ckan_smtp_user": "mailer",
    "ckan_mail_from": "portal@portal.test",
    "ckan_email_to": "operator@portal.test",
    "uwsgi_port": 8081,
    "uwsgi_workers": 2,
    "uwsgi_harakiri": 3600,
    "uwsgi_max_requests": 500,
    "uwsgi_socket_timeout": 400,
    "tls_source": "files",
    "tls_certificate_file": "",
    "tls_key_file": "",
    "tls_days": 365,
    "tls_key_bits": 2048,
    "tls_country": "DE",
    "tls_state": "Bavaria",
    "tls_locality": "Erlangen",
    "tls_organization": "Example",
    "tls_email": "tls@portal.test",
    "tls_warn_days": 3000,
    "tls_renew_before": "2020-01-01",
    "nginx_aliases": ["alias.portal.test"],
    "nginx_ipv6": False,
    "nginx_hsts": 300,
    "nginx_robots": "deny",
    "nginx_cache_dir": "/var/cache/other-nginx",
    "nginx_cache_size": 100,
    "nginx_cache_keys": 10,
    "nginx_cache_validity": 60,
    "nginx_download_buffer": 1000,
    "nginx_timeout": 50,
    "nginx_upload_timeout": 400,
    "nginx_static_paths": ["base/"],
    "nginx_blocked_paths": ["wp-admin"],
    "nginx_read_paths": ["about$"],
    "nginx_write_paths": ["api/3/"],
    "nginx_blocked_extensions": ["php"],
    "nginx_dcor_aid_minimum": "0.15.0",
}
# These stop the run by design.
STOPS: dict[str, Any] = {"base_minimum_memory": 99999999, "base_minimum_space": 9999999}
# From the secret store; another value comes from the environment.
SECRETS = ("postgresql_password", "ckan_secret_key", "ckan_sysadmin_password", "ckan_smtp_password")
# Of services on other hosts: test_split.
ELSEWHERE = ("redis_password",)
# What is valid only together.
TOGETHER = (
    {"solr_version", "solr_sha512", "solr_mirror"},
    {"tls_source", "tls_certificate_file", "tls_key_file"},
    {"ckan_smtp_server", "ckan_smtp_user", "ckan_smtp_password", "ckan_mail_from", "ckan_email_to"},
    {"ckan_plugins", "ckan_default_views"},
)
# Nothing on a host depends on these by themselves.
SILENT = {
    "ckan_database_leave_behind",
    "ckan_reindex_seconds",
    "ckan_start_seconds",
    "ckan_sysadmin_email",
    "ckan_sysadmin_password",
    "ckan_smtp_starttls",
    "tls_days",
    "tls_key_bits",
    "tls_warn_days",
    "tls_renew_before",
    "nginx_read_paths",
    "nginx_write_paths",
    "nginx_blocked_extensions",
    "nginx_dcor_aid_minimum",
}
# What a step leaves behind when it is undone, on purpose: data, keys that people may have pinned, and packages.
STAYS = (
    "/etc/ssl/private/",
    "/etc/ssl/certs/",
    "/var/lib/ckan/other",
    "/var/cache/other-nginx",
    "/var/solr/data/other",
    "/var/lib/ckan-deploy/postgresql/",
    "/var/lib/ckan-deploy/ckan/sysadmin.",
    "/etc/ckan/default/sysadmin-token",  # another one
)


@dataclass(frozen=True)
class Step:
    """One state to deploy: settings and secrets that differ from the lab's, and whether CKAN is an older one."""

    name: str
    data: dict[str, Any] = field(default_factory=dict)
    secrets: tuple[str, ...] = ()
    older: bool = False


def configurable() -> dict[str, Any]:
    """Full names of all settings that are not computed, with their types."""
    return {
        f"{component.prefix}_{name}": info.annotation
        for component in COMPONENTS
        for name, info in component.model_fields.items()
        if component.kind(name) != "derived"
    }


def _only_one_value(annotation: Any) -> bool:
    return get_origin(annotation) is Literal and len(get_args(annotation)) == 1


def _of(*components: str, leave: tuple[str, ...] = ()) -> dict[str, Any]:
    return {name: value for name, value in OTHER.items() if name.partition("_")[0] in components and name not in leave}


def _batches(data: Mapping[str, Any]) -> list[Step]:
    """Steps that together change every setting; each undoes what the one before did."""

    def of(*components: str, leave: tuple[str, ...] = ()) -> dict[str, Any]:
        return {name: data[name] for name in _of(*components, leave=leave)}

    files = ("tls_source", "tls_certificate_file", "tls_key_file")
    return [
        Step("portal, TLS, nginx; no sysadmin", {**of("portal", "tls", "nginx", leave=files), "ckan_sysadmin": ""}),
        Step(
            "base, PostgreSQL, Redis; a certificate from files; no token",
            {
                **of("base", "firewall", "postgresql", "redis"),
                **{name: data[name] for name in (*files, "ckan_sysadmin_token", "ckan_database_leave_behind")},
            },
            ("postgresql_password",),
        ),
        Step(
            "Solr, CKAN, uWSGI; an older CKAN, with an extension",
            of("solr", "ckan", "uwsgi", leave=("ckan_sysadmin_token", "ckan_database_leave_behind")),
            ("ckan_secret_key", "ckan_sysadmin_password", "ckan_smtp_password"),
            older=True,
        ),
        Step("all back, and a newer CKAN"),
    ]


def _singles(data: Mapping[str, Any]) -> Iterator[Step]:
    done: set[str] = set()
    for name in (*OTHER, *SECRETS):
        names = next((group for group in TOGETHER if name in group), {name})
        if not names & done:
            values = {one: data[one] for one in sorted(names) if one in data}
            yield Step(", ".join(sorted(names)), values, tuple(one for one in SECRETS if one in names))
        done |= names
    yield Step("no sysadmin", {"ckan_sysadmin": ""})
    yield Step("an older CKAN", older=True)
    yield Step("all back")


def test_each_setting_has_another_value_here() -> None:
    known = {*OTHER, *STOPS, *SECRETS, *ELSEWHERE}
    changeable = {name for name, annotation in configurable().items() if not _only_one_value(annotation)}
    assert changeable - known == set(), "settings without an entry in this file"
    assert known - changeable == set(), "entries that are no settings"
    assert set(OTHER) >= SILENT - set(SECRETS)
    covered = {name for step in _batches(OTHER) for name in (*step.data, *step.secrets)}
    assert set(OTHER) | set(SECRETS) == covered, "settings that no batch changes"
    summary.add(f"settings: {len(OTHER)} and {len(SECRETS)} secrets change, {len(STOPS)} stop the run")


@pytest.fixture
def expected(stage: Stage) -> oracle.State:
    """The essence of the converged host, with the administrators' tools: packages stay once they were wanted."""
    stage.begin(stage.deployed(RELEASES[0]))
    stage.spoil()
    harness.apply("--data", "base_admin_tools=true")
    return oracle.essence(oracle.snapshot(NAME))


@pytest.fixture
def other(stage: Stage, tmp_path: Path) -> dict[str, Any]:
    """OTHER, with a certificate in files, and with another Solr served on the converged host itself."""
    stage.begin(stage.deployed(RELEASES[0]))
    stage.spoil()
    certificate, key = _certificate(tmp_path)
    serve = (
        "mkdir -p /srv/solr/9.10.0; cd /srv/solr/9.10.0; "
        "{ cat /var/cache/ckan-deploy/solr-*.tgz; gzip -c </dev/null; } > solr-9.10.0.tgz; "
        "systemd-run -q --unit=other-solr python3 -m http.server 8099 --bind 127.0.0.1 -d /srv/solr; "
        "sha512sum < solr-9.10.0.tgz"
    )
    checksum = stage.run("sh", "-ec", serve).split()[0]
    return {**OTHER, "tls_certificate_file": certificate, "tls_key_file": key, "solr_sha512": checksum}


def test_the_plan_after_a_change_is_what_the_run_changes(
    stage: Stage, expected: oracle.State, other: dict[str, Any], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    steps = list(_singles(other)) if request.config.getoption("--long") else _batches(other)
    older = variants.older_checkout(tmp_path)
    failures = []
    former = _location({})
    for step in steps:
        if _location(step.data) != former:  # else the run stops: the former database holds data
            step.data["ckan_database_leave_behind"] = former
        former = _location(step.data)
        environment = {**os.environ}
        for name in step.secrets:
            environment[f"CKAN_DEPLOY_SECRET_{name.upper()}"] = f"another-{name}"
        inventory = variants.inventory(step.data, tmp_path)
        root = older if step.older else harness.ROOT
        try:
            changed = harness.plan_and_apply(inventory=inventory, environment=environment, root=root).get(NAME, [])
            assert harness.plan(inventory=inventory, environment=environment, root=root) == {}
            if not {*step.data, *step.secrets} <= SILENT:
                assert changed, "nothing was changed"
            _only_one_solr(stage)
            _token_is_good(stage, wanted=step.data.get("ckan_sysadmin", "x") != "" and _has_token(step))
        except AssertionError as error:
            failures.append(f"{step.name}: {error}")
            print(failures[-1])
        else:
            summary.add(f"settings: {step.name}: {len(changed)} operations")
    assert not failures, "\n".join(failures)
    now = oracle.essence(oracle.snapshot(NAME))
    assert _unexpected(oracle.difference(expected, now)) == []


@pytest.mark.parametrize("name", STOPS)
def test_a_setting_that_stops_the_run_by_design(name: str, one_converged: Stage) -> None:
    done = harness.pyinfra("deploy.py", "-y", "--data", f"{name}={STOPS[name]}")
    assert done.status == 1
    assert f"less than {name} = {STOPS[name]}" in done.stderr


def _location(data: Mapping[str, Any]) -> str:
    return f"127.0.0.1:{data.get('postgresql_port', 5432)}/{data.get('postgresql_database', 'ckan_default')}"


def _has_token(step: Step) -> bool:
    return bool(step.data.get("ckan_sysadmin_token", True))


def _token_is_good(stage: Stage, *, wanted: bool) -> None:
    """CKAN takes the token in the file for its sysadmin's; there is none where none is wanted."""
    command = (
        "f=/etc/ckan/default/sysadmin-token; [ -e $f ] || exit 0; "
        "port=$(sed -n 's/^http11-socket = .*://p' /etc/ckan/default/ckan-uwsgi.ini); "
        "curl -s -o /dev/null -w '%{http_code}' -H \"Authorization: $(cat $f)\" "
        "http://127.0.0.1:$port/api/3/action/config_option_list"
    )
    assert stage.run("sh", "-c", command) == ("200" if wanted else "")


def _only_one_solr(stage: Stage) -> None:
    found = stage.run("sh", "-c", "ls -d /opt/solr-* /var/cache/ckan-deploy/solr-*").split()
    assert len(found) == 2, f"former versions of Solr are still there: {found}"


def _unexpected(lines: list[str]) -> list[str]:
    """Differences that are neither in STAYS nor of the former database and core, nor of what the tests started."""
    return [
        line
        for line in lines
        if not line.startswith(("databases:", "units:", "sockets:", "services: solr cores:"))
        and not any(line.startswith(f"files: {path}") for path in STAYS)
    ]


def _certificate(folder: Path) -> tuple[str, str]:
    """Write a self-signed certificate for the portal and its key; their paths."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, FQDN)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(FQDN)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "portal.pem", folder / "portal.key"
    paths[0].write_bytes(certificate.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(paths[0]), str(paths[1])
