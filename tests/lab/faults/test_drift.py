"""Drift of every kind is planned exactly and repaired by one run; what the product manages, it says itself.

Batched by kind: all candidates at once, on one host that each repair leaves as it was. With ``--long`` one by one.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from lab import inside
from tests.lab.harness import deploy, deployments, oracle, summary
from tests.lab.harness.managed import Managed, managed
from tests.lab.harness.portal_host import FQDN, NAME, PortalHost

pytestmark = [
    pytest.mark.guarantee("drift"),
    pytest.mark.portal("ckan", also=("dcor",)),
    pytest.mark.usefixtures("deployment"),
]

KEPT = "/root/drift"  # where the drift keeps what it moves away
CERTIFICATE, KEY = f"/etc/ssl/certs/{FQDN}.cert", f"/etc/ssl/private/{FQDN}.key"
# What a change of the file's text alone does not touch: a comment in a PEM file changes neither key nor certificate.
MEANING = (CERTIFICATE, KEY)
# Folders with data of the portal in them: never replaced by the tests, as an operator's loss would be no drift.
DATA = ("/var/solr", "/var/lib/ckan", "/var/log/ckan", "/data", "/srv/minio")
SHARED = ("/var/cache/nginx",)  # the distribution's, too
ENVIRONMENT = "/usr/lib/ckan/default"
# A program that runs cannot be written to: another file, with its owner and mode, takes its place.
TWIN, SWAP = 'cp -a "$p" "$p.twin"', 'mv "$p.twin" "$p"'


@dataclass(frozen=True)
class Drift:
    """One thing that went wrong on a host, the shell script that does it, and the path at which it shows, if any."""

    name: str
    script: str
    path: str = ""


def _on_files(kind: str, script: str, paths: list[str]) -> list[Drift]:
    found = []
    for number, path in enumerate(paths):
        variables = f"p={shlex.quote(path)} k={KEPT}/{number}-{kind.split()[-1]}"
        found.append(Drift(f"{path} {kind}", f"{variables}; {script}", path))
    return found


def _deleted(found: Managed, long: bool) -> list[Drift]:
    # Folders below others first.
    folders = sorted((path for path in found.of("folder") if not path.startswith(DATA)), reverse=True)
    return [
        *_on_files("deleted", 'rm -f "$p"', found.of("file") + _links_of(found, long)),
        *_on_files("moved away", 'mv "$p" "$k"', found.of("tree") + [p for p in folders if p not in SHARED]),
    ]


def _truncated(found: Managed, long: bool) -> list[Drift]:
    return [
        *_on_files("truncated", f'true > "$p" || {{ {TWIN}; true > "$p.twin"; {SWAP}; }}', found.of("file")),
        *_on_files("pointing elsewhere", 'ln -sfn /nowhere "$p"', _links_of(found, long)),
        *_on_files("replaced by a file", 'rm -rf "$p"; echo precious > "$p"', _caches(found)),
    ]


def _links_of(found: Managed, long: bool) -> list[str]:
    """The link to the Python environment costs a new build: two batches that build anyway are enough."""
    return [path for path in found.of("link") if long or path != ENVIRONMENT]


def _caches(found: Managed) -> list[str]:
    return [path for path in found.of("folder") if path.startswith("/var/cache/nginx/")]


def _appended_to(found: Managed, long: bool) -> list[Drift]:
    paths = [path for path in found.of("file") if path not in MEANING]
    return [
        *_on_files(
            "appended to", f'echo "# drift" >> "$p" || {{ {TWIN}; echo "# drift" >> "$p.twin"; {SWAP}; }}', paths
        ),
        *_on_files("from another archive", 'echo drift >> "$p/.ckan-deploy"', found.of("tree")),
        *_on_files("there again", 'echo "# nothing" > "$p"', found.of("absent")),
    ]


# What one operation repairs is not in one batch: one drift would hide that another is not seen.


def _modes(found: Managed, long: bool) -> list[Drift]:
    return _on_files("mode changed", 'chmod o+rwx,u-w "$p"', found.of("file", "folder"))


def _owners(found: Managed, long: bool) -> list[Drift]:
    return _on_files("owner changed", 'chown daemon:daemon "$p"', found.of("file", "folder"))


def _links(found: Managed, long: bool) -> list[Drift]:
    return _on_files("replaced by a link", 'cp -a "$p" "$k"; ln -sfn "$k" "$p"', found.of("file"))


def _directories(found: Managed, long: bool) -> list[Drift]:
    script = 'rm -f "$p"; mkdir "$p"; echo "$p" > "$p/precious"'
    paths = found.of("file", "link")
    # The link to a DCOR's environment has a file of ours below it, which is spoilt through it; a plain CKAN's has none.
    return _on_files(
        "replaced by a directory", script, [p for p in paths if not any(q.startswith(f"{p}/") for q in paths)]
    )


def _stopped(found: Managed, long: bool) -> list[Drift]:
    return [
        *(Drift(f"{unit} disabled", f"systemctl disable --quiet {unit}") for unit in found.units),
        *(Drift(f"{unit} stopped", f"systemctl stop {unit}") for unit in found.units),
    ]


def _program_stopped(found: Managed, long: bool) -> list[Drift]:
    """Apart from its supervisor, whose start would start it; and drift of a database whose server runs."""
    return [
        *(Drift(f"{name} stopped", f"supervisorctl stop '{name}:*' >/dev/null") for name in found.programs),
        Drift("the role's password changed", _psql("ALTER ROLE ckan_default PASSWORD 'another'")),
        Drift("the database's owner changed", _psql("ALTER DATABASE ckan_default OWNER TO postgres")),
    ]


def _masked(found: Managed, long: bool) -> list[Drift]:
    """A unit whose file is ours cannot be masked but by replacing that file."""
    drifts = []
    for number, unit in enumerate(found.units):
        file = f"/etc/systemd/system/{unit}"
        runtime = "--runtime" if number % 2 else ""
        script = (
            f"if [ -f {file} ]; then ln -sfn /dev/null {file}; else systemctl mask {runtime} --quiet {unit}; fi; "
            f"systemctl daemon-reload"
        )
        if number % 3:
            script += f"; systemctl stop {unit}"
        drifts.append(Drift(f"{unit} masked {runtime}", script))
    return drifts


def _older_configuration(found: Managed, long: bool) -> list[Drift]:
    """The file is as wanted, and has an old time; what runs was started with another one."""

    def runs_with(file: str, line: str, restart: str, edit: str = "") -> str:
        return (
            f"p={file}; cp -a $p {KEPT}/older; {edit or f'echo {shlex.quote(line)} >> $p'}; {restart}; "
            f"cat {KEPT}/older > $p; touch -d '2020-01-01' $p"  # in place: its folder's time does not tell
        )

    cluster = next(unit for unit in found.units if unit.startswith("postgresql@"))
    postgresql = next(path for path in found.paths if path.endswith("conf.d/ckan-deploy.conf") and "/main/" in path)
    field = '<field name="drift" type="string" indexed="true" stored="true"/>'
    schema = "/var/solr/data/ckan/conf/schema.xml"
    programs = "supervisorctl restart all >/dev/null"
    return [
        Drift("redis", runs_with("/etc/redis/redis.conf", "maxmemory 99mb", "systemctl restart redis-server")),
        Drift("postgresql", runs_with(postgresql, "log_lock_waits = off", f"systemctl restart {cluster}")),
        Drift(
            "nginx",
            runs_with(
                "/etc/nginx/sites-enabled/ckan", "", "systemctl reload nginx", "sed -i 's/return 444/return 445/' $p"
            ),
        ),
        Drift("the portal's processes", runs_with("/etc/ckan/default/ckan.ini", "# drift", programs)),
        Drift(
            "solr, its schema altered on disk, too",
            f"sed -i 's|</fields>|{field}</fields>|' {schema}; "
            f"systemctl restart solr; curl -sf 'http://127.0.0.1:8983/solr/ckan/schema/fields/drift' >/dev/null",
        ),
        Drift(
            "the journal",
            runs_with(
                "/etc/systemd/journald.conf.d/ckan-deploy.conf", "MaxFileSec=1h", "systemctl restart systemd-journald"
            ),
        ),
    ]


def _installed(found: Managed, long: bool) -> list[Drift]:
    """What was installed: packages, the Python environment, the account, key and certificate."""
    pip = "/usr/lib/ckan/default/bin/python -m pip -q --disable-pip-version-check"
    other = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=portal.test -days 30 2>/dev/null"
    # The lab itself, or half the system; and without nft nobody can tell which rules the kernel still has.
    kept = {"python3", "sudo", "ca-certificates", "python3-dev", "libc6-dev", "nftables"}
    packages = [package for package in found.packages if package not in kept]
    return [
        Drift("a Python package removed", f"{pip} uninstall -y polib"),
        Drift("a Python package added", f"{pip} install --no-deps iniconfig"),
        Drift("a certificate of another key", f"{other} -keyout /dev/null -out {CERTIFICATE}"),
        Drift("another key", f"openssl genrsa 2048 > {KEY} 2>/dev/null"),
        Drift("the account solr removed", "systemctl stop solr; userdel -f solr"),
        Drift(
            "packages removed",
            f"DEBIAN_FRONTEND=noninteractive apt-get -q -y remove {' '.join(packages)} >/dev/null 2>&1",
        ),
    ]


def _downgraded(found: Managed, long: bool) -> list[Drift]:
    pip = f"{ENVIRONMENT}/bin/python -m pip -q --disable-pip-version-check"
    return [
        Drift("a Python package downgraded", f"{pip} install --no-deps idna==3.7"),
        # Where no file is touched: its stamp would have the role set up anew whatever the attributes are.
        Drift("the role's attributes changed", _psql("ALTER ROLE ckan_default SUPERUSER CREATEDB CONNECTION LIMIT 3")),
    ]


BATCHES: dict[str, Callable[[Managed, bool], list[Drift]]] = {
    "deleted": _deleted,
    "truncated": _truncated,
    "appended to": _appended_to,
    "mode changed": _modes,
    "owner changed": _owners,
    "replaced by links": _links,
    "stopped and disabled": _stopped,
    "program and database": _program_stopped,
    "masked": _masked,
    "older configuration": _older_configuration,
    "installed": _installed,
    "downgraded": _downgraded,
    # Last: what is moved aside is removed by the test, after which services are stale.
    "replaced by directories": _directories,
}


@dataclass(frozen=True)
class Converged:
    """The converged host: what is managed there, and its essence."""

    portal_host: PortalHost
    snapshot: str
    found: Managed
    expected: oracle.State


@pytest.fixture(scope="module")
def known(portal_host: PortalHost, tmp_path_factory: pytest.TempPathFactory) -> Converged:
    deployment = deployments.current()
    snapshot = portal_host.deployed(deployment)
    portal_host.ensure(snapshot)
    found = managed(deployment, tmp_path_factory.mktemp("notes"))
    kinds = ", ".join(f"{len(found.of(kind))} {kind}s" for kind in ("file", "folder", "link", "tree"))
    counts = {"units": found.units, "programs": found.programs, "packages": found.packages}
    summary.add(f"managed: {kinds}, {', '.join(f'{len(names)} {what}' for what, names in counts.items())}")
    return Converged(portal_host, snapshot, found, _essence())


@pytest.mark.parametrize("batch", BATCHES)
def test_drift_is_repaired(batch: str, known: Converged, request: pytest.FixtureRequest) -> None:
    long = request.config.getoption("--long")
    drifts = BATCHES[batch](known.found, long)
    assert drifts
    groups = [[drift] for drift in drifts] if long else [drifts]
    failures = []
    for group in groups:
        known.portal_host.ensure(known.snapshot)
        known.portal_host.mark_changed()
        try:
            changed = _repair(known, group)
        except AssertionError as error:
            failures.append(f"{', '.join(drift.name for drift in group)}: {error}")
            print(failures[-1])
            continue
        summary.add(f"drift, {batch}: {len(group)} at once, repaired by {len(changed)} operations")
        known.portal_host.current = known.snapshot  # it is as it was
    assert not failures, "\n".join(failures)


def test_a_drifted_role_of_a_stopped_server_is_repaired(known: Converged) -> None:
    """The one case in which the plan cannot know: what a server would say that does not run."""
    known.portal_host.ensure(known.snapshot)
    known.portal_host.mark_changed()
    known.portal_host.run("sh", "-c", _psql("ALTER ROLE ckan_default SUPERUSER"))
    known.portal_host.run("sh", "-c", "systemctl stop 'postgresql@*'")
    planned, changed = deploy.plan()[NAME], deploy.apply()[NAME]
    assert set(changed) - set(planned) == {"PostgreSQL | Set up CKAN's database role"}
    assert set(planned) <= set(changed)
    assert deploy.plan() == {}
    assert oracle.difference(known.expected, _essence()) == []
    known.portal_host.current = known.snapshot


def _repair(known: Converged, drifts: list[Drift]) -> list[str]:
    """Apply DRIFTS; assert that a run repairs all as planned, and loses nothing."""
    portal_host = known.portal_host
    _let_drift(drifts)
    precious = set(_precious(portal_host))
    changed = deploy.plan_and_apply().get(NAME, [])
    assert changed, "nothing was planned"
    assert deploy.plan() == {}
    assert set(_precious(portal_host)) == precious, "something was lost"
    different = oracle.difference(known.expected, _essence())
    assert not different, "\n".join(different)
    portal_host.run(
        "sh", "-c", f"rm -rf {KEPT}; find /etc /usr /var /opt -xdev -name '*.aside.*' -prune -exec rm -rf {{}} +"
    )
    return changed


def _let_drift(drifts: list[Drift]) -> None:
    """Apply DRIFTS; assert that each of them made a difference, where the oracle looks."""
    inside.run(NAME, ["mkdir", "-p", KEPT])
    before = oracle.files(NAME)
    for drift in drifts:
        done = inside.run(NAME, ["sh", "-ec", drift.script], check=False)
        assert done.returncode == 0, f"{drift.name} could not be done: {done.stderr}"
    after = oracle.files(NAME)
    same = [
        drift.name
        for drift in drifts
        if drift.path in before.keys() | after.keys() and _tree(before, drift.path) == _tree(after, drift.path)
    ]
    assert same == [], "these drifts were none"


def _tree(files: dict[str, Any], path: str) -> dict[str, Any]:
    return {name: value for name, value in files.items() if name == path or name.startswith(f"{path}/")}


def _precious(portal_host: PortalHost) -> list[str]:
    """What stands in the folders that replaced files, wherever those are now."""
    command = "find /etc /usr /var /opt -xdev -type f -name precious -exec cat {} +"
    return portal_host.run("sh", "-c", command).split()


def _essence() -> oracle.State:
    """Essence of the host, without what the drift left aside; /run is empty after the start from a snapshot."""
    state = oracle.essence(oracle.snapshot(NAME))
    files = {
        path: value
        for path, value in state["files"].items()
        if ".aside." not in path and not path.startswith((KEPT, "/run/"))
    }
    return {**state, "files": files}


def _psql(sql: str) -> str:
    return f"cd / && runuser -u postgres -- psql -Xq -c {shlex.quote(sql)}"
