"""Steps that change every setting of a deployed portal, and what may be left when all is as it was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.lab.harness.other_values import (
    OTHER,
    OTHER_DCOR,
    OTHER_EXTERNAL,
    OTHER_MINIO,
    SECRETS,
    SECRETS_EXTERNAL,
    SECRETS_MINIO,
    TOGETHER,
)

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


def _of(*components: str, leave: tuple[str, ...] = ()) -> dict[str, Any]:
    return {name: value for name, value in OTHER.items() if name.partition("_")[0] in components and name not in leave}


def batches(data: Mapping[str, Any]) -> list[Step]:
    """Steps that together change every setting; each undoes what the one before did."""

    def of(*components: str, leave: tuple[str, ...] = ()) -> dict[str, Any]:
        return {name: data[name] for name in _of(*components, leave=leave)}

    provided = ("tls_source", "tls_certificate_file")
    return [
        Step("portal, TLS, nginx; no sysadmin", {**of("portal", "tls", "nginx", leave=provided), "ckan_sysadmin": ""}),
        Step(
            "base, PostgreSQL, Redis; a provided certificate; no token",
            {
                **of("base", "patching", "firewall", "postgresql", "redis", leave=("patching_enabled",)),
                **{name: data[name] for name in (*provided, "ckan_sysadmin_token", "ckan_database_leave_behind")},
            },
            ("postgresql_password", "redis_password", "patching_smtp_password", "tls_key"),
        ),
        Step(
            "Solr, CKAN, uWSGI, workers, scheduled jobs; an older CKAN, with an extension; no patching",
            {
                **of(
                    "solr",
                    "ckan",
                    "uwsgi",
                    "workers",
                    "scheduled",
                    leave=("ckan_sysadmin_token", "ckan_database_leave_behind"),
                ),
                "patching_enabled": False,
            },
            ("ckan_secret_key", "ckan_api_token_secret", "ckan_sysadmin_password", "ckan_smtp_password"),
            older=True,
        ),
        Step("all back, and a newer CKAN"),
    ]


def singles(data: Mapping[str, Any]) -> Iterator[Step]:
    done: set[str] = set()
    for name in (*OTHER, *SECRETS):
        names = next((group for group in TOGETHER if name in group), {name})
        if not names & done:
            values = {one: data[one] for one in sorted(names) if one in data and one not in SECRETS}
            yield Step(", ".join(sorted(names)), values, tuple(one for one in SECRETS if one in names))
        done |= names
    yield Step("no sysadmin", {"ckan_sysadmin": ""})
    yield Step("an older CKAN", older=True)
    yield Step("all back")


def dcor_batches(data: Mapping[str, Any]) -> list[Step]:
    """Steps of a DCOR portal, for what no other portal has; in DATA stand the values that a test has made."""

    def of(values: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        return {**{name: data.get(name, value) for name, value in values.items()}, **more}

    queues = {name: value for name, value in OTHER.items() if name.startswith(("workers_dcor_", "scheduled_"))}
    certain = of(OTHER_EXTERNAL, object_storage_ssl_verify=True)
    return [
        Step("DCOR", of(OTHER_DCOR)),
        Step("MinIO, DCOR's workers and nightly jobs", of(OTHER_MINIO, **queues), SECRETS_MINIO),
        Step("an external object storage", certain, SECRETS_EXTERNAL),
        Step("the same, its certificate not checked", of(OTHER_EXTERNAL, object_storage_ca_file=""), SECRETS_EXTERNAL),
        Step("all back"),
    ]


def unexpected(lines: list[str]) -> list[str]:
    """Differences that are neither in STAYS nor of the former database and core, nor of what the tests started."""
    return [
        line
        for line in lines
        if not line.startswith(("databases:", "units:", "sockets:", "services: solr cores:"))
        and not any(line.startswith(f"files: {path}") for path in STAYS)
    ]
