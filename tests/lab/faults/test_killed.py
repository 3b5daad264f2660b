"""A run that ends anywhere is made up for by the next one: nothing stays half done, and what runs is what is set.

Where and how runs end is drawn anew each time; `CKAN_DEPLOY_TEST_SEED=…` repeats what was printed. Several runs are
killed one after the other on the way to one converged host, so that the sample takes minutes; with `--long` there are
more rounds.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Iterator

import pytest

from lab import paths, snapshot
from tests.lab.harness import deploy, deployments, faults, host_files, oracle
from tests.lab.harness.convergence import converges, differing
from tests.lab.harness.portal_host import NAME, PortalHost

pytestmark = [pytest.mark.guarantee("kills"), pytest.mark.portal("ckan")]

SEED = int(os.environ["CKAN_DEPLOY_TEST_SEED"])  # set by conftest.py

# What takes long during the packages phase, the process that shows it, and how long it goes on at least (seconds), for
# what it works with is slow: dpkg, which apt-get runs twice at least, begins late, and Solr's archive comes in drops.
APT, FETCH, PIP = r"^apt-get .*install", r"^/usr/bin/(curl|tar) .*solr-", r"bin/python -m pip .*install"
FETCHES = [("Solr | Install Java", APT, 8.0), ("Solr | Download Solr", FETCH, 5.0), ("Solr | Unpack Solr", FETCH, 5.0)]
SLOW = ("/usr/local/bin/curl", "/usr/local/bin/tar", "/etc/dpkg/dpkg.cfg.d/slow")
_SLOW = r"""
printf '#!/bin/sh\ncase "$*" in *solr-*) set -- --limit-rate 6M "$@";; esac\nexec /usr/bin/curl "$@"\n' > "$1"
printf '#!/bin/sh\ncase "$*" in *solr-*) set -- --checkpoint=50 --checkpoint-action="exec=sleep 0.1" "$@";; esac
exec /usr/bin/tar "$@"\n' > "$2"
chmod +x "$1" "$2"
echo 'pre-invoke=! pgrep -f "^apt-get .*install.*(postgresql|redis|jre)" >/dev/null || sleep 4' > "$3"
"""
ENVIRONMENT = "/usr/lib/ckan/default"
MOST = 50  # packages of CKAN's environment, of more than a hundred
FIRST_CONFIGURATION = "CKAN | Configure CKAN"
WAITING = "Base | Install base packages"
MIGRATIONS = "CKAN | Apply CKAN's pending migrations"
UPGRADE = r"python\S* /usr/lib/ckan/default/bin/ckan .* db upgrade"
INSTALLS = {
    "CKAN | Install what CKAN's packages need",
    "CKAN | Build CKAN's environment",
    "uWSGI | Install supervisor",
    "TLS | Install OpenSSL",
    "nginx | Install nginx",
}

# Changed settings; each write's operation, the one that makes the service know of it, and what was written.
CHANGE = [
    word
    for setting in ("redis_maxmemory=300mb", "portal_upload_limit=77", "postgresql_max_connections=90")
    for word in ("--data", setting)
]
RESTARTED = [
    ("PostgreSQL | Configure PostgreSQL", "PostgreSQL | Run PostgreSQL with its newest configuration", "/main/conf.d"),
    ("Redis | Configure Redis", "Redis | Run Redis with its newest configuration", "/etc/redis/redis.conf"),
]
RELOADED = [
    ("nginx | Configure the portal's site", "nginx | Serve the portal with nginx's newest configuration", "/etc/nginx"),
]
LATER = [("CKAN | Configure CKAN", "uWSGI | Run CKAN with its newest code and configuration", "ckan.ini")]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "chance" in metafunc.fixturenames:
        seeds = [SEED + number for number in range(5 if metafunc.config.getoption("--long") else 1)]
        metafunc.parametrize("chance", seeds, indirect=True, ids=[f"seed {seed}" for seed in seeds])


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    print(f"\nCKAN_DEPLOY_TEST_SEED={request.param}", flush=True)
    return random.Random(request.param)


@pytest.fixture(scope="module")
def uninterrupted(portal_host: PortalHost) -> oracle.State:
    """The essence of a host that was deployed in one go."""
    portal_host.restore(portal_host.deployed(deployments.current()))
    return oracle.essence(oracle.snapshot(NAME))


@pytest.fixture(scope="module")
def changed(portal_host: PortalHost) -> oracle.State:
    """The essence of a host whose settings were changed in one go."""
    portal_host.restore(portal_host.deployed(deployments.current()))
    portal_host.mark_changed()
    deploy.apply(*CHANGE)
    return oracle.essence(oracle.snapshot(NAME))


@pytest.fixture(autouse=True)
def spoilt(portal_host: PortalHost) -> Iterator[None]:
    yield
    portal_host.mark_changed()


def hit_during(operation: str, process: str, far_enough: Callable[[], bool], fault: str, after: str) -> None:
    """Begin a run and let FAULT happen while OPERATION's PROCESS is on the host, once it is FAR_ENOUGH."""
    run = faults.begin(after=after)
    run.began(operation)
    faults.wait_until_running(process, run, operation)
    while not far_enough() and run.steps[-1] == faults.Step(operation):
        time.sleep(0.05)
    assert run.steps[-1] == faults.Step(operation), f"{operation!r} was over too early:\n{run.tail()}"
    faults.strike(run, fault)
    assert run.steps[-1].name == operation and run.steps[-1].result != "Success", run.tail()


def hit_soon(operation: str, fault: str, chance: random.Random, after: str) -> None:
    """Begin a run and let FAULT happen in or soon after OPERATION of the configuration."""
    run = faults.begin(after=after)
    run.began(operation)
    time.sleep(chance.uniform(0, 0.4))
    faults.strike(run, fault)
    assert configures(run.under_way()), f"not in the configuration phase: {run.tail()}"


def _passed(seconds: float) -> Callable[[], bool]:
    """Whether so much time has passed since the first question."""
    asked: list[float] = []

    def passed() -> bool:
        asked.append(time.monotonic())
        return asked[-1] - asked[0] >= seconds

    return passed


def _built(where: str = f"{ENVIRONMENT}.?") -> int:
    """Number of packages in the environments that are there; by default also in one that is being built."""
    return len(host_files.there(f"{where}/lib/python3*/site-packages/*.dist-info"))


def test_killed_while_packages_are_installed(
    portal_host: PortalHost, uninterrupted: oracle.State, chance: random.Random
) -> None:
    portal_host.restore(portal_host.bare(deployments.current()))
    portal_host.run("sh", "-ec", _SLOW, "sh", *SLOW)
    one, two, three = chance.sample(faults.FAULTS, 3)
    first = chance.choice([("PostgreSQL | Install PostgreSQL", APT, 5.0), ("Redis | Install Redis", APT, 1.0)])
    for (operation, process, longest), fault, after in ((first, one, "sigkill"), (chance.choice(FETCHES), two, one)):
        hit_during(operation, process, _passed(chance.uniform(0, longest)), fault, after)
    portal_host.run("rm", *SLOW)
    some = chance.randrange(MOST)
    print(f"    at {some} packages of the environment")
    hit_during("CKAN | Build CKAN's environment", PIP, lambda: _built() >= some, three, two)
    slots = [path for path in uninterrupted["files"] if path.startswith(f"{ENVIRONMENT}.")]
    assert _built(ENVIRONMENT) in (0, sum(path.endswith(".dist-info") for path in slots)), "half an environment is used"
    _keep_half(after=three)
    converges(uninterrupted, after="sigkill")


def _keep_half(after: str) -> None:
    """Kill a run between packages and CKAN's configuration, and keep that as a snapshot."""
    run = faults.begin(after=after)
    run.began(FIRST_CONFIGURATION)
    run.kill()
    if not paths.snapshot(deployments.current().half).exists():
        snapshot.take(NAME, deployments.current().half)


def configures(operation: str) -> bool:
    """Whether OPERATION belongs to the configuration that comes after all large packages."""
    return (
        operation.partition(" | ")[0] in {"CKAN", "uWSGI", "Workers", "Scheduled", "TLS", "nginx"}
        and operation not in INSTALLS
    )


def test_killed_while_it_is_configured(
    portal_host: PortalHost, uninterrupted: oracle.State, chance: random.Random
) -> None:
    if not paths.snapshot(deployments.current().half).exists():
        portal_host.restore(portal_host.bare(deployments.current()))
        _keep_half(after="sigkill")
    portal_host.restore(deployments.current().half)
    operations = portal_host.first_runs[deployments.current()].changed
    later = operations[operations.index(FIRST_CONFIGURATION) :]
    # The run may come to the operations that follow before the fault strikes.
    targets = [name for number, name in enumerate(later) if all(map(configures, later[number : number + 4]))]
    number = later.index(MIGRATIONS)
    # The migrations in any case, and by what does not leave them running: they would come to their end. So the run
    # before may not have come to them.
    soft, hard = chance.sample(faults.FAULTS[:2], 2), chance.choice(faults.FAULTS[2:])
    early = chance.choice(later[:number])
    run = faults.begin(still_after=early)
    run.changed(early)
    faults.strike(run, soft[0])
    hit_during(MIGRATIONS, UPGRADE, _passed(chance.uniform(0, 2)), hard, after=soft[0])
    hit_soon(chance.choice([name for name in targets if name in later[number:]]), soft[1], chance, after=hard)
    converges(uninterrupted, after=soft[1])


def test_a_run_whose_cable_is_cut_ends_by_itself(portal_host: PortalHost, uninterrupted: oracle.State) -> None:
    """The host may know nothing of it: then it is held, and the next run is told how to take over."""
    portal_host.restore(portal_host.deployed(deployments.current()))
    portal_host.run("dpkg", "--remove", "--force-depends", "logrotate")
    faults.hold_dpkg(3600)
    run = faults.Watched()
    run.began(WAITING)
    faults.wait_until_running("^sleep 2$", run, WAITING)  # between two attempts
    faults.strike(run, "cut")
    assert run.steps[-1].name == WAITING and run.steps[-1].result.startswith("Error"), run.tail()
    faults.release_dpkg()
    converges(uninterrupted, after="cut")


def test_killed_between_a_write_and_its_service(
    portal_host: PortalHost, changed: oracle.State, chance: random.Random
) -> None:
    portal_host.restore(portal_host.deployed(deployments.current()))
    after = "sigkill"
    for write, follow, written in (chance.choice(RESTARTED), *LATER, *RELOADED):
        run = faults.begin(*CHANGE, after=after, still_after=write)
        run.changed(write)
        after = chance.choice(("sigkill", "cut"))
        faults.strike(run, after)
        assert faults.Step(write, "Success") in run.steps, run.tail()
        assert faults.Step(follow, "Success") not in run.steps, f"{follow!r} was done already:\n{run.tail()}"
        problems = differing()
        print(f"    {problems}", flush=True)
        assert any(written in problem for problem in problems), f"nothing was stale after {write!r}"
    converges(changed, *CHANGE, after=after)
