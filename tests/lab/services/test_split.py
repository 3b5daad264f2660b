"""Services on their own hosts: deployed, closed to others, and moved there without loss."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import host, inside, state
from settings.locks import schema
from tests.lab.harness import acceptance, deploy, multi_host, oracle, secret_store
from tests.lab.harness.deployments import CROSSED
from tests.lab.harness.multi_host import PORTS, STRANGER, Scene
from tests.lab.harness.portal_host import PortalHost, portal_of

pytestmark = pytest.mark.guarantee("services")

CLOSE = "Firewall | Close the inner ports"
INDEX = "CKAN | Have all datasets in the search index"


@pytest.fixture(scope="module", params=multi_host.SCENES)
def made(request: pytest.FixtureRequest, portal_host: PortalHost) -> Iterator[Scene]:
    yield Scene(str(request.param), portal_host)
    multi_host.clear(portal_host)


@pytest.fixture
def scene(made: Scene) -> Scene:
    """The scene's hosts, deployed and up. A test that leaves them changed calls ``portal_host.spoil``."""
    made.keep()
    return made


def test_the_plan_of_bare_hosts_is_what_the_run_changes(scene: Scene) -> None:
    assert scene.planned == scene.changed
    assert set(scene.changed) == set(scene.hosts)
    assert len(scene.changed["portal"]) > 40


def test_the_second_run_changes_nothing(scene: Scene) -> None:
    before = {name: oracle.snapshot(name) for name in scene.hosts}
    assert "ckan_deploy" in before["portal"]["services"]["nftables"]
    assert deploy.plan_and_apply() == {}
    for name in scene.hosts:
        assert oracle.difference(before[name], oracle.snapshot(name)) == [], name


def test_the_portal_works(scene: Scene, tmp_path: Path) -> None:
    acceptance.all_without_browser(portal_of(tmp_path), schema()["version"], multi_host.token())


def test_inner_ports_are_open_to_the_portal_only(scene: Scene) -> None:
    """Also right after a boot; the stranger could connect to these hosts."""
    for place in set(scene.places.values()):
        assert multi_host.connects(STRANGER, place, 22)
    assert multi_host.open_ports("portal", scene.places) == set(PORTS)
    assert multi_host.open_ports(STRANGER, scene.places) == set()
    multi_host.each(set(scene.places.values()), host.reboot)
    assert multi_host.open_ports(STRANGER, scene.places) == set()
    scene.portal_host.wait_until_up()
    assert multi_host.open_ports("portal", scene.places) == set(PORTS)
    assert multi_host.open_ports(STRANGER, scene.places) == set()
    assert deploy.plan_and_apply() == {}


def test_redis_refuses_who_has_no_password(scene: Scene) -> None:
    place = scene.places["redis"]
    said = inside.run(place, ["redis-cli", "-h", state.host(place).address, "llen", "x"], check=False)
    assert "NOAUTH" in said.stdout + said.stderr


SECRETS = ("postgresql_password", "redis_password", "ckan_secret_key", "ckan_sysadmin_password")


def test_rotated_secrets_are_brought_to_all_their_places(scene: Scene, tmp_path: Path) -> None:
    """One run, and the former ones are worth nothing anywhere; one by one, and all at once."""
    scene.portal_host.mark_changed()
    with secret_store.unchanged():
        for names in [[name] for name in SECRETS] if scene.name == "together" else [SECRETS]:
            old, old_token = secret_store.secrets(), multi_host.token()
            secret_store.rotate(*names)
            new = secret_store.secrets()
            assert {name for name in new if new[name] != old[name]} == set(names)
            assert set(deploy.plan_and_apply()) == {"portal"} | {
                scene.places[service] for service in ("postgresql", "redis") if f"{service}_password" in names
            }
            portal = portal_of(tmp_path)
            acceptance.all_without_browser(portal, schema()["version"], multi_host.token())
            assert (multi_host.token() == old_token) == ("ckan_secret_key" not in names)
            assert acceptance.logs_in(portal, new["ckan_sysadmin_password"])
            for opens in (_opens_postgresql, _opens_redis):
                assert opens(scene, new)
            for name, opens in (("postgresql_password", _opens_postgresql), ("redis_password", _opens_redis)):
                assert opens(scene, old) == (name not in names), name
            assert acceptance.logs_in(portal, old["ckan_sysadmin_password"]) == ("ckan_sysadmin_password" not in names)
            assert deploy.plan_and_apply() == {}


def _opens_postgresql(scene: Scene, secrets: dict[str, str]) -> bool:
    code = "import psycopg2, sys; psycopg2.connect(sys.stdin.readline().strip(), connect_timeout=60)"
    address, password = state.host(scene.places["postgresql"]).address, secrets["postgresql_password"]
    command = ["/usr/lib/ckan/default/bin/python", "-c", code]
    where = f"host={address} dbname=ckan_default user=ckan_default password={password}\n"
    done = inside.run("portal", command, text=where, check=False)
    assert done.returncode == 0 or "authentication failed" in done.stderr, done.stderr
    return done.returncode == 0


def _opens_redis(scene: Scene, secrets: dict[str, str]) -> bool:
    place = scene.places["redis"]
    command = ["redis-cli", "-h", state.host(place).address]
    said = inside.run(place, command, text=f"AUTH ckan {secrets['redis_password']}\nPING\n", check=False).stdout
    assert "PONG" in said or "WRONGPASS" in said, said
    return "PONG" in said


def test_rules_that_were_flushed_are_back_after_one_run(scene: Scene) -> None:
    place = scene.places["solr"]
    inside.run(place, ["nft", "flush", "ruleset"])
    assert "solr" in multi_host.open_ports(STRANGER, scene.places)  # else the firewall proves nothing
    assert deploy.plan_and_apply() == {place: [CLOSE]}
    assert multi_host.open_ports(STRANGER, scene.places) == set()
    inside.run(place, ["nft", "insert", "rule", "inet", "ckan_deploy", "input", "accept"])
    assert "solr" in multi_host.open_ports(STRANGER, scene.places)
    assert deploy.plan_and_apply() == {place: [CLOSE]}
    assert multi_host.open_ports(STRANGER, scene.places) == set()
    assert deploy.plan() == {}


def test_the_hosts_own_firewall_stands_beside_ours(scene: Scene) -> None:
    """It is left alone, and whenever it is loaded, which flushes all rules, ours are loaded again."""
    place = scene.places["solr"]
    scene.portal_host.mark_changed()
    rules = "flush ruleset\ntable inet own { chain input { type filter hook input priority 0; tcp dport 22 accept; }; }"
    inside.run(place, ["sh", "-c", "cat > /etc/nftables.conf"], text=rules)
    inside.run(place, ["systemctl", "enable", "--now", "nftables"])
    for verb in ("reload", "restart"):
        inside.run(place, ["systemctl", verb, "nftables"])
        assert multi_host.open_ports(STRANGER, scene.places) == set(), verb
        assert "table inet own" in inside.run(place, ["nft", "list", "ruleset"]).stdout
    assert deploy.plan_and_apply() == {}
    host.reboot(place)
    assert multi_host.open_ports(STRANGER, scene.places) == set()
    assert "table inet own" in inside.run(place, ["nft", "list", "ruleset"]).stdout


def test_a_run_for_some_hosts_connects_to_no_other(scene: Scene) -> None:
    place = scene.places["solr"]
    scene.portal_host.mark_changed()
    for name in set(scene.hosts) - {place}:
        inside.run(name, ["sh", "-c", "systemctl stop ssh.socket 2>/dev/null; systemctl stop ssh"])
    refused = deploy.pyinfra("deploy.py", "--dry")
    assert refused.status == 1, refused.output
    silent = set(re.findall(r"(\S+) \(\S+, port \d+\) does not answer", refused.stderr))
    assert silent == {"portal", *scene.places.values()} - {place}, refused.output
    inside.run(place, ["nft", "flush", "ruleset"])
    assert deploy.apply("--limit", "solr") == {place: [CLOSE]}


class Moves:
    """A portal with everything on its host, from which services move away."""

    def __init__(self, portal_host: PortalHost, folder: Path) -> None:
        self.portal_host = portal_host
        multi_host.clear(portal_host)
        portal_host.restore(portal_host.deployed(CROSSED["ckan"]))
        portal_host.mark_changed()
        self.portal = portal_of(folder)
        self.word = f"lark{uuid.uuid4().hex[:8].translate(str.maketrans('0123456789', 'ghijklmnop'))}"
        self.make(self.word)

    def make(self, name: str) -> None:
        """A public dataset of that name and title."""
        self.action("organization_create", {"name": f"{name}-org"})
        self.action("package_create", {"name": name, "title": name, "owner_org": f"{name}-org", "private": False})

    def action(self, name: str, data: dict[str, object]) -> object:
        with acceptance.visit(self.portal) as session:
            session.headers["Authorization"] = multi_host.token()
            return acceptance.ask(session, self.portal, name, data)

    def found(self) -> None:
        """The search finds the dataset, and nothing else by its name."""
        with acceptance.visit(self.portal) as session:
            acceptance._until_found(session, self.portal, self.word, [self.word])


def test_solr_and_redis_move_by_one_change_of_the_inventory_and_one_run(
    portal_host: PortalHost, tmp_path: Path
) -> None:
    moves = Moves(portal_host, tmp_path)
    moves.found()
    assert deploy.plan_and_apply() == {}
    for service in ("solr", "redis"):
        host.up(service, release=multi_host.SERVICE_RELEASE)
        changed = deploy.plan_and_apply()
        assert "CKAN | Configure CKAN" in changed["portal"]
        assert (INDEX in changed["portal"]) == (service == "solr")
        moves.found()
        assert deploy.plan_and_apply() == {}
    # The index is lost, and later one dataset of it: seen and made up for without any change of the inventory.
    core = f"http://{state.host('solr').address}:8983/solr/ckan/update?commit=true"
    for query in ("*:*", f"name:{moves.word}"):
        body = f'{{"delete": {{"query": "{query}"}}}}'
        inside.run("portal", ["curl", "-sf", "-H", "Content-Type: application/json", "-d", body, core])
        assert deploy.plan_and_apply() == {"portal": [INDEX]}
        moves.found()
    assert deploy.plan() == {}


def test_a_database_with_data_is_not_left_behind(portal_host: PortalHost, tmp_path: Path) -> None:
    moves = Moves(portal_host, tmp_path)
    address = host.up("postgresql", release=multi_host.SERVICE_RELEASE).address
    before = {name: oracle.snapshot(name) for name in ("portal", "postgresql")}
    old, new = "127.0.0.1:5432/ckan_default", f"{address}:5432/ckan_default"
    for options in (["-y"], ["--dry"]):
        done = deploy.pyinfra("deploy.py", *options)
        assert done.status == 1
        assert re.search(
            rf"portal cannot be deployed, nothing was changed: its database would become {re.escape(new)}, which does "
            rf"not answer or does not exist yet, while the present one, {re.escape(old)}, holds 1 datasets, last "
            rf"changed at 20\d\d-.* UTC, 1 groups .*"
            rf'ckan_database_leave_behind = "{re.escape(old)}"',
            done.stderr,
        ), done.stderr
        assert "Traceback" not in done.output
    for name, state_before in before.items():
        assert oracle.difference(state_before, oracle.snapshot(name)) == []

    # As docs/services.md has it: the new one alone, the data, and then everything.
    deploy.plan_and_apply("--limit", "postgresql")
    assert "which holds nothing, while the present one" in deploy.pyinfra("deploy.py", "--dry").stderr
    _stop_writing()
    _load("postgresql", _dump("portal"))
    deploy.plan_and_apply()
    moves.found()
    moves.make("after")
    assert deploy.plan_and_apply() == {}

    # And back, where the portal cannot be left out of the first step.
    _stop_writing()
    dump = _dump("postgresql", "--clean", "--if-exists")
    host.down("postgresql")
    assert f'ckan_database_leave_behind = "{new}"' in deploy.pyinfra("deploy.py", "--dry").stderr
    deploy.plan_and_apply("--data", f"ckan_database_leave_behind={new}")
    _stop_writing()
    _load("portal", dump)
    deploy.plan_and_apply()
    moves.found()
    moves.make("back")
    assert deploy.plan_and_apply() == {}


def _stop_writing() -> None:
    inside.run("portal", ["sh", "-c", "supervisorctl stop all; systemctl stop 'ckan-scheduled-*'"])


def _dump(name: str, *options: str) -> str:
    """The database on host NAME, without what PostgreSQL 15 does not know of 17's."""
    dump = inside.run(name, ["runuser", "-u", "postgres", "--", "pg_dump", "-Ox", *options, "ckan_default"]).stdout
    return re.sub(r"^(SET transaction_timeout|\\(un)?restrict).*$", "", dump, flags=re.MULTILINE)


def _load(name: str, dump: str) -> None:
    psql = ["runuser", "-u", "postgres", "--", "psql", "-q", "-v", "ON_ERROR_STOP=1"]
    inside.run(name, [*psql, "ckan_default"], text=f"SET ROLE ckan_default;\n{dump}")


def test_a_database_that_is_named_is_left_behind(portal_host: PortalHost, tmp_path: Path) -> None:
    moves = Moves(portal_host, tmp_path)
    host.up("postgresql", release=multi_host.SERVICE_RELEASE)
    leave = ("--data", "ckan_database_leave_behind=127.0.0.1:5432/ckan_default")
    refused = deploy.pyinfra("deploy.py", "--dry", *leave[:1], f"{leave[1]}x")
    assert refused.status == 1 and "the present one, 127.0.0.1:5432/ckan_default" in refused.stderr, refused.output
    changed = deploy.plan_and_apply(*leave)
    assert {"CKAN | Apply CKAN's pending migrations", "CKAN | Make the first sysadmin", INDEX} <= set(changed["portal"])
    with acceptance.visit(moves.portal) as session:
        acceptance._until_found(session, moves.portal, moves.word, [])
    acceptance.all_without_browser(moves.portal, schema()["version"], multi_host.token())
    assert deploy.plan_and_apply() == {}
