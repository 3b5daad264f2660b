"""Settings of all hosts at once: what is computed, and every problem with its place, at once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from settings.host import COMPONENTS, HostSettings, SettingsError
from settings.locks import lock, version
from settings.resolve import of_inventory, resolve
from settings.sources import HostSource, from_inventory
from settings.store import SecretStore
from tests.unit.converge import new_state

Groups = Mapping[str, list[str]]
SPLIT = {"portal": ["data"], "postgresql": ["database"], "redis": ["cache"], "solr": ["search"]}
ONE = {group: ["data"] for group in SPLIT}
ADDRESSES = {"data": "192.0.2.20", "database": "192.0.2.21", "cache": "192.0.2.22", "search": "192.0.2.23"}


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    return SecretStore(tmp_path / "secrets", generate=True)


def sources(
    groups: Groups = ONE, data: Mapping[str, Any] | None = None, hosts: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, HostSource]:
    """Sources as they come from an inventory: GROUPS' hosts, DATA for all, and data of single HOSTS."""
    names = dict.fromkeys(name for members in groups.values() for name in members)
    return {
        name: HostSource(
            tuple(group for group, members in groups.items() if name in members),
            (
                (f"host {name}", {"address": ADDRESSES.get(name), **(hosts or {}).get(name, {})}),
                ("all hosts", {"portal_fqdn": "data.example.org", **(data or {})}),
            ),
        )
        for name in names
    }


def problems(store: SecretStore, *arguments: Any, **kw: Any) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        resolve(sources(*arguments, **kw), store)
    found: list[str] = caught.value.problems
    assert str(caught.value).splitlines()[1:] == found
    assert "nothing was changed" in str(caught.value)
    return found


def test_one_host_listens_on_loopback_only(store: SecretStore) -> None:
    host = resolve(sources(), store)["data"]
    assert host.postgresql and host.redis and host.solr and host.ckan and host.uwsgi and host.tls and host.nginx
    assert (host.postgresql.bind, host.postgresql.clients) == (("127.0.0.1",), ())
    assert (host.redis.bind, host.redis.clients, host.redis.password) == (("127.0.0.1",), (), None)
    assert (host.solr.bind, host.solr.clients) == ("127.0.0.1", ())
    assert host.ckan.solr_url == "http://127.0.0.1:8983/solr/ckan"
    assert (host.ckan.database_host, host.ckan.redis_host, host.ckan.redis_password) == ("127.0.0.1", "127.0.0.1", None)
    assert host.ckan.database_password is host.postgresql.password
    assert host.uwsgi.local_services == ("postgresql", "redis", "solr")
    assert host.nginx.upstream == "127.0.0.1:8080"
    assert host.nginx.certificate_path == host.tls.certificate_path
    assert host.nginx.upload_limit == host.uwsgi.upload_limit == host.ckan.upload_limit == 1024


def test_split_services_listen_for_the_portal(store: SecretStore) -> None:
    found = resolve(sources(SPLIT, {"redis_port": 6380}), store)
    portal, database, cache, search = (found[name] for name in ("data", "database", "cache", "search"))
    assert database.postgresql and cache.redis and search.solr and portal.ckan and portal.uwsgi
    assert database.postgresql.bind == ("127.0.0.1", "192.0.2.21")
    assert database.postgresql.clients == cache.redis.clients == search.solr.clients == ("192.0.2.20",)
    assert cache.redis.bind == ("127.0.0.1", "192.0.2.22")
    assert cache.redis.password is not None
    assert portal.ckan.redis_password is cache.redis.password
    assert search.solr.bind == "192.0.2.23"
    assert portal.ckan.solr_url == "http://192.0.2.23:8983/solr/ckan"
    assert (portal.ckan.database_host, portal.ckan.redis_host) == ("192.0.2.21", "192.0.2.22")
    assert portal.ckan.redis_port == 6380
    assert portal.uwsgi.local_services == ()
    assert (portal.postgresql, portal.redis, portal.solr) == (None, None, None)
    assert database == HostSettings("192.0.2.21", database.base, database.firewall, postgresql=database.postgresql)


def test_one_service_elsewhere(store: SecretStore) -> None:
    found = resolve(sources({**ONE, "postgresql": ["database"]}), store)
    assert found["data"].uwsgi and found["data"].uwsgi.local_services == ("redis", "solr")
    assert found["data"].redis and found["data"].redis.password is None


def test_each_host_has_its_own_base(store: SecretStore) -> None:
    found = resolve(sources(SPLIT, hosts={"search": {"base_minimum_memory": 4000}}), store)
    assert [found[name].base.minimum_memory for name in ("data", "search")] == [1800, 4000]


def test_settings_are_frozen_and_show_no_secret(store: SecretStore) -> None:
    found = resolve(sources(SPLIT, {"ckan_sysadmin": "admin", "ckan_sysadmin_email": "a@example.org"}), store)
    secrets = [secret.unmask() for secret in store.vault.open_all().values()]
    assert len(secrets) == 4
    shown = repr(found) + "".join(str(c.ckan and c.ckan.model_dump()) + str(c.redis) for c in found.values())
    assert not [secret for secret in secrets if secret in shown]
    with pytest.raises(ValidationError):
        found["data"].base.admin_tools = True  # type: ignore[misc]


def test_everything_wrong_is_said_at_once_with_its_place(tmp_path: Path) -> None:
    found = problems(
        SecretStore(tmp_path),
        {**ONE, "redis": []},
        {"redis_prot": 1, "solr_bind": "0.0.0.0", "ckan_secret_key": "clear"},
        hosts={"data": {"address": "portal.example.org"}},
    )
    assert "redis_prot (set for all hosts) is no setting; did you mean redis_port?" in found
    assert "solr_bind (set for all hosts) is computed and cannot be set" in found
    assert "ckan_secret_key (set for all hosts) is a secret: put it into the secret store instead" in found
    assert any(p.startswith("host data has the address 'portal.example.org', which is no IP address") for p in found)
    assert any(p.startswith("group redis: it has no host, but must have one") for p in found)
    assert len(found) == 5


def test_wrong_values_of_several_components_and_missing_secrets_at_once(tmp_path: Path) -> None:
    data = {
        "redis_port": 70000,
        "solr_heap": "much",
        "ckan_sysadmin": "No!",
        "uwsgi_workers": "many",
        "portal_fqdn": "localhost",
        "nginx_ipv6": "perhaps",
        "tls_days": 0,
        "postgresql_role": "x; drop",
    }
    found = problems(SecretStore(tmp_path), SPLIT, data, hosts={"data": {"uwsgi_workers": 0}})
    for name, value in data.items():
        where = "set for host data" if name == "uwsgi_workers" else "set for all hosts"
        shown = 0 if name == "uwsgi_workers" else value
        (line,) = (problem for problem in found if problem.startswith(f"{name} "))
        assert line.startswith(f"{name} = {shown!r} ({where}): "), line
        assert line.rpartition("): ")[2]
    missing = sorted(line.split()[2] for line in found if line.startswith("the secret "))
    assert missing == ["ckan_secret_key", "ckan_sysadmin_password", "postgresql_password", "redis_password"]
    assert len(found) == len(data) + len(missing)


def test_a_value_of_the_wrong_kind_deep_inside(store: SecretStore) -> None:
    (line,) = problems(store, data={"ckan_extensions": [{"requirements": ["ckanext-x==1"]}]})
    assert line.startswith("ckan_extensions.0.requirements = [")
    assert "not pinned with a hash: 'ckanext-x==1'" in line
    assert "Value error" not in line


def test_a_setting_that_must_be_given(store: SecretStore) -> None:
    hosts = {name: HostSource(s.groups, s.layers[:1]) for name, s in sources().items()}
    with pytest.raises(SettingsError) as caught:
        resolve(hosts, store)
    (line,) = caught.value.problems
    assert line.startswith("portal_fqdn is missing for data: Name under which people reach the portal")
    assert "group_data/" in line


def test_settings_that_need_each_other(store: SecretStore) -> None:
    (line,) = problems(store, data={"ckan_sysadmin": "admin"})
    assert "ckan_sysadmin needs ckan_sysadmin_email as well" in line


def test_a_secret_that_cannot_be_used(store: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CKAN_DEPLOY_SECRET_POSTGRESQL_PASSWORD", "pässword")
    (line,) = problems(store)
    assert line.startswith("postgresql_password")
    assert "must be of printable ASCII characters" in line
    assert "pässword" not in line


def test_two_hosts_in_a_group(store: SecretStore) -> None:
    (line,) = problems(store, {**SPLIT, "redis": ["cache", "search"]})
    assert line.startswith("group redis: it has 2 hosts (cache, search), but must have one")


@pytest.mark.parametrize("address", [None, "", "data", "192.0.2.300", 5.5])
def test_bad_addresses(address: object, store: SecretStore) -> None:
    (line,) = problems(store, hosts={"data": {"address": address}})
    assert line.startswith("host data has no address;" if address is None else f"host data has the address {address!r}")
    assert '("data", {"address": "192.0.2.1"})' in line


def test_a_group_without_component_is_refused(store: SecretStore) -> None:
    (line,) = problems(store, {**ONE, "object_storage": ["data"]})
    assert line.startswith("group object_storage: there is no such component yet")


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.prefix)
def test_every_setting_is_described_and_named_by_its_component(component: Any) -> None:
    for name, field in component.model_fields.items():
        assert field.description, name
        assert component.kind(name) in ("configured", "entered", "derived")
        if component.kind(name) == "configured":
            assert not field.is_required(), name
        assert "Secret" not in str(field.annotation) or component.kind(name) != "configured", name


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.prefix)
def test_no_derived_setting_can_be_set_by_hand(component: Any, store: SecretStore) -> None:
    names = [f"{component.prefix}_{f}" for f in component.model_fields if component.kind(f) == "derived"]
    if names:
        found = problems(store, data=dict.fromkeys(names, "x"))
        assert sorted(found) == sorted(f"{n} (set for all hosts) is computed and cannot be set" for n in names)


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.prefix)
def test_no_secret_can_stand_in_clear_text(component: Any, store: SecretStore) -> None:
    for field in component.model_fields:
        if component.kind(field) == "entered" and "Secret" in str(component.model_fields[field].annotation):
            found = problems(store, data={f"{component.prefix}_{field}": "cl3ar"})
            assert found == [
                f"{component.prefix}_{field} (set for all hosts) is a secret: put it into the secret store instead"
            ]
            assert "cl3ar" not in "".join(found)


def test_a_settings_class_takes_no_plain_secret() -> None:
    class_ = next(c for c in COMPONENTS if c.prefix == "ckan")
    with pytest.raises(ValidationError) as caught:
        class_(secret_key="cl3ar")  # type: ignore[call-arg]
    assert "cl3ar" not in str(caught.value)


# --- where values come from -------------------------------------------------------------------------------------------


def inventory() -> Any:
    hosts = [("data", {"address": "192.0.2.20", "redis_port": 1}), ("search", {"address": "192.0.2.23"})]
    made, _ = new_state(
        hosts,
        {"redis_port": 4, "solr_port": 4, "uwsgi_port": 4, "portal_fqdn": "d.example.org"},
        portal=(["data"], {"redis_port": 3, "solr_port": 3}),
        production=(["data", "search"], {"solr_port": 2}),
        override_data={"nginx_timeout": 9},
    )
    return made


def test_the_strongest_source_wins_and_is_named() -> None:
    found = from_inventory(inventory())["data"]
    assert found.groups == ("portal", "production")
    for name, value, origin in (
        ("redis_port", 1, "set for host data"),
        ("solr_port", 2, "set for group production"),
        ("uwsgi_port", 4, "set for all hosts"),
        ("nginx_timeout", 9, "set for this run by --data"),
        ("base_minimum_memory", None, "its default"),
    ):
        assert (found.data.get(name), found.origin(name)) == (value, origin)


def test_pyinfra_ranks_the_sources_the_same_way() -> None:
    made = inventory()
    for name, source in from_inventory(made).items():
        data = made.get_host(name).data
        assert {key: getattr(data, key) for key in source.data} == source.data


def test_excluded_hosts_still_resolve(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """--limit chooses whom to change; whoever is left out keeps its part in the portal."""
    monkeypatch.chdir(tmp_path)
    data = {"portal_fqdn": "data.example.org", "secrets_folder": str(tmp_path / "s"), "secrets_generate": True}
    hosts = [(name, {"address": address}) for name, address in ADDRESSES.items()]
    groups: dict[str, Any] = {group: (members, {}) for group, members in SPLIT.items()}
    made, state = new_state(hosts, data, **groups)
    state.limit_hosts = [made.get_host("cache")]
    found = of_inventory(made)
    assert list(found) == list(ADDRESSES)
    assert found["cache"].redis and found["cache"].redis.clients == ("192.0.2.20",)
    assert of_inventory(made) is found


# --- locks ------------------------------------------------------------------------------------------------------------


def test_version_in_a_lock() -> None:
    text = "ckan[requirements]==2.11.6 \\\n    --hash=sha256:a\nckanext-x==1\nsetuptools==81.0.0 ; x\n"
    assert (version(text, "ckan"), version(text, "ckanext-x"), version(text, "setuptools")) == ("2.11.6", "1", "81.0.0")
    with pytest.raises(KeyError):
        version(text, "kan")


def test_an_unknown_lock() -> None:
    with pytest.raises(FileNotFoundError):
        lock("ckan", "2.7")
