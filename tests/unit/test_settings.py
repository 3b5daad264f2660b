"""Settings of all hosts at once: what is computed, and every problem with its place, at once."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from pyinfra import connectors

from settings.data_files import DataFiles
from settings.host import COMPONENTS, SCHEMA, HostSettings, SettingsError
from settings.locks import lock, version
from settings.origin import Origin
from settings.pyinfra_names import known
from settings.resolve import of_inventory, resolve
from settings.schema import settings as schema
from settings.sources import HostSource, Layer, Level, from_inventory
from settings.store import SecretStore
from tests.unit.converge import new_state

Groups = Mapping[str, list[str]]
SPLIT = {"portal": ["data"], "postgresql": ["database"], "redis": ["cache"], "solr": ["search"]}
ONE = {group: ["data"] for group in SPLIT}
ADDRESSES = {"data": "192.0.2.20", "database": "192.0.2.21", "cache": "192.0.2.22", "search": "192.0.2.23"}


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    return SecretStore(tmp_path / "secrets", generate=True)


def layer(level: Level, name: str, values: Mapping[str, Any]) -> Layer:
    file = {Level.HOST: "inventory/x.py", Level.ALL: "group_data/all.py"}.get(
        level, f"group_data/{name.split()[-1]}.py"
    )
    return Layer(level, name, values, {key: Origin("file", file, line) for line, key in enumerate(values, 1)})


def at(name: str) -> dict[str, Any]:
    return {"address": ADDRESSES[name]} if name in ADDRESSES else {}


def sources(
    groups: Groups = ONE, data: Mapping[str, Any] | None = None, hosts: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, HostSource]:
    """Sources as they come from an inventory: GROUPS' hosts, DATA for all, and data of single HOSTS."""
    names = dict.fromkeys(name for members in groups.values() for name in members)
    return {
        name: HostSource(
            tuple(group for group, members in groups.items() if name in members),
            (
                layer(Level.HOST, f"host {name}", {**at(name), **(hosts or {}).get(name, {})}),
                layer(Level.ALL, "all hosts", {"portal_fqdn": "data.example.org", **(data or {})}),
            ),
            Origin("file", "inventory/x.py", 1),
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
    assert (host.redis.bind, host.redis.clients) == (("127.0.0.1",), ())
    assert (host.solr.bind, host.solr.clients) == ("127.0.0.1", ())
    assert host.ckan.solr_url == "http://127.0.0.1:8983/solr/ckan"
    assert (host.ckan.database_host, host.ckan.redis_host) == ("127.0.0.1", "127.0.0.1")
    assert host.ckan.database_password is host.postgresql.password
    assert host.ckan.redis_password is host.redis.password  # on loopback, too, where every account of the host gets
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
    assert portal.ckan.redis_password is cache.redis.password
    assert search.solr.bind == "192.0.2.23"
    assert portal.ckan.solr_url == "http://192.0.2.23:8983/solr/ckan"
    assert (portal.ckan.database_host, portal.ckan.redis_host) == ("192.0.2.21", "192.0.2.22")
    assert portal.ckan.redis_port == 6380
    assert portal.uwsgi.local_services == ()
    assert (portal.postgresql, portal.redis, portal.solr) == (None, None, None)
    assert database == HostSettings(
        "192.0.2.21", database.base, database.patching, database.firewall, postgresql=database.postgresql
    )


def test_one_service_elsewhere(store: SecretStore) -> None:
    found = resolve(sources({**ONE, "postgresql": ["database"]}), store)
    assert found["data"].uwsgi and found["data"].uwsgi.local_services == ("redis", "solr")


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
    assert found == [
        "group_data/all.py:2: redis_prot is no setting; did you mean redis_port?",
        "group_data/all.py:3: solr_bind cannot be set, it is derived: loopback, or the host's address where the portal "
        "is another host (from address, groups); remove it",
        "group_data/all.py:4: ckan_secret_key is a secret and must not stand in clear text; remove it here, and put a "
        "new one into the secret store, since others may have read this one",
        "inventory/x.py:1: address = 'portal.example.org': must be an IP address; for example address = '192.0.2.20'",
        'the inventory: group redis: it has no host, but must have one; write `redis = ["HOST"]` in the inventory',
        *(
            f"the secret {name} is missing in {tmp_path}/default.toml: make it with "
            "`python -m settings.secrets generate inventory/default.py`"
            for name in ("ckan_secret_key", "postgresql_password")
        ),
    ]


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
    for line_number, (name, value) in enumerate({"portal_fqdn": "", **data}.items(), 1):
        (line,) = (problem for problem in found if problem.startswith(f"group_data/all.py:{line_number}: "))
        assert re.match(rf"\S+ {name} = {value!r}: must be .+; for example {name} = ", line), line
    (line,) = (problem for problem in found if problem.startswith("inventory/x.py:2: "))  # stronger, and as wrong
    assert "uwsgi_workers = 0: must be a whole number from 1 to 256;" in line
    missing = sorted(line.split()[2] for line in found if line.startswith("the secret "))
    assert missing == ["ckan_secret_key", "ckan_sysadmin_password", "postgresql_password", "redis_password"]
    assert len(found) == len(data) + 1 + len(missing)


def test_a_value_of_the_wrong_kind_deep_inside(store: SecretStore) -> None:
    (line,) = problems(store, data={"ckan_extensions": [{"requirements": ["ckanext-x==1"]}]})
    assert line == (
        "group_data/all.py:2: ckan_extensions[0]['requirements'] = ['ckanext-x==1']: not pinned with a hash: "
        "'ckanext-x==1'; write `name==version --hash=sha256:…`"
    )


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        (
            "ckan_options",
            {"site about": "x"},
            "ckan_options, the key 'site about': has not the form that is allowed; ckan_",
        ),
        ("nginx_aliases", ["a b"], "nginx_aliases[0] = 'a b': has not the form that is allowed; nginx_aliases must be"),
    ],
)
def test_no_part_is_told_a_regular_expression(name: str, value: object, says: str, store: SecretStore) -> None:
    (line,) = problems(store, data={name: value})
    assert says in line and "pattern" not in line and "^" not in line


def test_a_setting_that_must_be_given(store: SecretStore) -> None:
    hosts = {name: HostSource(s.groups, s.layers[:1], s.origin) for name, s in sources().items()}
    with pytest.raises(SettingsError) as caught:
        resolve(hosts, store)
    (line,) = caught.value.problems
    assert line == (
        "inventory/x.py:1: portal_fqdn is missing for host data: name under which people reach the portal; "
        "set it in group_data/, for example portal_fqdn = 'data.example.org'"
    )


def test_settings_that_need_each_other(store: SecretStore) -> None:
    (line,) = problems(store, data={"ckan_sysadmin": "admin"})
    assert line == (
        "group_data/all.py:2: ckan_sysadmin = 'admin', ckan_sysadmin_email = '' (default): CKAN makes no user without "
        "one; set ckan_sysadmin_email"
    )


def test_a_secret_that_cannot_be_used(store: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CKAN_DEPLOY_SECRET_POSTGRESQL_PASSWORD", "pässword")
    (line,) = problems(store)
    assert line.startswith(
        "the environment variable CKAN_DEPLOY_SECRET_POSTGRESQL_PASSWORD: the secret postgresql_password "
    )
    assert "must be of letters, digits and - . _ ~ only" in line
    assert "pässword" not in line


def test_a_secret_too_short_to_be_masked_stops_the_run(store: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command takes one, but a variable and the tool age bring any."""
    monkeypatch.setenv("CKAN_DEPLOY_SECRET_CKAN_SECRET_KEY", "xyzzy")
    (line,) = problems(store)
    assert "the secret ckan_secret_key must have at least 6 characters, since a shorter one cannot be masked" in line
    assert "xyzzy" not in line


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("redis_prot", "did you mean redis_port?"),
        ("ckan_smtp_pasword", "did you mean ckan_smtp_password? That is a secret and must not stand in clear text; re"),
        ("solr_bnd", "did you mean solr_bind? It cannot be set either, it is derived: loopback, or the host's "),
        ("quite_another", "remove it; docs/settings.md lists all settings"),
    ],
)
def test_an_unknown_name_has_the_nearest_of_all(name: str, says: str, store: SecretStore) -> None:
    """Else a password with a mistyped name would be led into a setting that is shown."""
    (line,) = problems(store, data={name: "cl3artext"})
    assert f": {name} is no setting; {says}" in line
    assert "cl3artext" not in line


def test_two_hosts_in_a_group(store: SecretStore) -> None:
    (line,) = problems(store, {**SPLIT, "redis": ["cache", "search"]})
    assert line.startswith("the inventory: group redis: it has 2 hosts (cache, search), but must have one")


@pytest.mark.parametrize("address", [None, "", "data", "192.0.2.300", 5.5])
def test_bad_addresses(address: object, store: SecretStore) -> None:
    (line,) = problems(store, hosts={"data": {"address": address}})
    says = f"inventory/x.py:1: address = {address!r}: must be an IP address; for example address = '192.0.2.20'"
    assert line == says


def test_two_object_storages_are_refused(store: SecretStore) -> None:
    (line,) = problems(store, {**SPLIT, "object_storage": ["data", "search"]})
    assert line == (
        "the inventory: group object_storage: it has 2 hosts (data, search), but may have one at most; leave one, or "
        "none"
    )


def test_a_host_without_address(store: SecretStore) -> None:
    (line,) = problems(store, {group: ["other"] for group in SPLIT})
    assert line == (
        "inventory/x.py:1: address is missing for host other: IP address by which the other hosts and the certificate "
        "know it; set it with the host in the inventory, for example address = '192.0.2.20'"
    )


@pytest.mark.parametrize("component", SCHEMA, ids=lambda c: c.prefix)
def test_every_setting_is_described_and_named_by_its_component(component: Any) -> None:
    for field in component.model_fields:
        setting = schema()[component.name(field)]
        assert setting.description and setting.allowed, setting.name
        assert setting.kind in ("configured", "entered", "derived", "internal")
        assert bool(setting.how and setting.inputs) == (setting.kind == "derived"), setting.name
        assert not setting.secret or setting.kind in ("entered", "derived"), setting.name
        if setting.kind in ("configured", "internal"):
            assert setting.required or setting.adapter.validate_python(setting.default) is not ..., setting.name
            assert setting.adapter.validate_python(setting.example) is not ..., setting.name
        if any("pattern" in str(item) for item in component.model_fields[field].metadata):
            assert component.declared(field).get("allowed"), f"nobody can read the pattern of {setting.name}"


def test_what_is_derived_comes_from_settings_that_exist() -> None:
    for setting in schema().values():
        assert {*setting.inputs} <= {*schema(), "groups", "locks"}, setting.name


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.prefix)
def test_no_derived_setting_can_be_set_by_hand(component: Any, store: SecretStore) -> None:
    names = [f"{component.prefix}_{f}" for f in component.model_fields if component.kind_of(f) == "derived"]
    if names:
        found = problems(store, data=dict.fromkeys(names, "x"))
        assert len(found) == len(names)
        for name in names:
            (line,) = (problem for problem in found if f": {name} " in problem)
            how = schema()[name]
            assert line.partition(": ")[2] == (
                f"{name} cannot be set, it is derived: {how.how} (from {', '.join(how.inputs)}); remove it"
            )


@pytest.mark.parametrize("component", COMPONENTS, ids=lambda c: c.prefix)
def test_no_secret_can_stand_in_clear_text(component: Any, store: SecretStore) -> None:
    for field in component.model_fields:
        if component.kind_of(field) == "entered" and "Secret" in str(component.model_fields[field].annotation):
            found = problems(store, data={f"{component.prefix}_{field}": "cl3ar"})
            (line,) = found
            assert line.startswith(f"group_data/all.py:2: {component.name(field)} is a secret and must not stand in")
            assert "cl3ar" not in line


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
    values, wrong = from_inventory(inventory(), DataFiles(Path("inventory/production.py")))["data"].pick()
    assert wrong == []
    for name, value, layer, origin in (
        ("redis_port", 1, "host data", "inventory/production.py"),
        ("solr_port", 2, "group production", "inventory/production.py"),
        ("uwsgi_port", 4, "all hosts", "inventory/production.py"),
        ("nginx_timeout", 9, "this run", "--data"),
    ):
        assert (values[name].value, values[name].layer.name, str(values[name].origin)) == (value, layer, origin)
    assert "base_minimum_memory" not in values


def test_pyinfra_ranks_the_sources_the_same_way() -> None:
    made = inventory()
    for name, source in from_inventory(made, DataFiles(Path("inventory/production.py"))).items():
        data = made.get_host(name).data
        values = source.pick()[0]
        assert {key: getattr(data, key) for key in values} == {key: one.value for key, one in values.items()}


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


def test_the_names_that_pyinfra_s_connectors_know() -> None:
    """Also those that they read or give to hosts themselves, without declaring them."""
    assert {"ssh_user", "ssh_port", "docker_platform", "fake_responses", "_sudo", "_env"} <= known()
    assert not {"ssh_usr", "name", "_sud"} & known()
    folder = Path(connectors.__file__).parent
    read = re.compile(
        r"""host\.data\.(\w+)|host_data\["(\w+)"\]|^ +(?:yield .*)?\{?"((?:docker|chroot|ssh)_\w+)": """, re.M
    )
    texts = [path.read_text() for path in folder.glob("*.py")]
    found = {name for text in texts for names in read.findall(text) for name in names if name}
    assert found >= {"chroot_directory", "docker_image", "ssh_hostname"}
    assert found <= known()


# --- locks ------------------------------------------------------------------------------------------------------------


def test_version_in_a_lock() -> None:
    text = "ckan[requirements]==2.11.6 \\\n    --hash=sha256:a\nckanext-x==1\nsetuptools==81.0.0 ; x\n"
    assert (version(text, "ckan"), version(text, "ckanext-x"), version(text, "setuptools")) == ("2.11.6", "1", "81.0.0")
    with pytest.raises(KeyError):
        version(text, "kan")


def test_an_unknown_lock() -> None:
    with pytest.raises(FileNotFoundError):
        lock("ckan", "2.7")


@pytest.mark.parametrize("end", ["\n", "\r", "\x00", "\u2028"], ids=["newline", "return", "null", "separator"])
def test_no_text_holds_a_line_break(end: str) -> None:
    """In a file on a host it would begin a line that nobody has looked at."""
    texts = [one for one in schema().values() if isinstance(one.example, str) and one.kind != "derived"]
    assert len(texts) > 20
    for one in texts:
        with pytest.raises(ValidationError):
            one.adapter.validate_python(f"{one.example}{end}")
    for value in ({"a": f"b{end}c"}, {f"a{end}": "b"}):
        with pytest.raises(ValidationError):
            schema()["ckan_options"].adapter.validate_python(value)
    extension = {"requirements": [], "plugins": [], "options": {"a": f"b{end}SECRET_KEY = x"}}
    with pytest.raises(ValidationError):
        schema()["ckan_extensions"].adapter.validate_python([extension])


def test_numbers_and_answers_are_not_mixed_up() -> None:
    for one in schema().values():
        if one.kind == "configured" and isinstance(one.example, bool | int):
            other: object = int(one.example) if isinstance(one.example, bool) else True
            with pytest.raises(ValidationError):
                one.adapter.validate_python(other)


@pytest.mark.parametrize("folder", [7, None, ["x"]])
def test_a_folder_of_secrets_that_is_none(folder: object, store: SecretStore) -> None:
    (line,) = problems(store, hosts={"data": {"address": "192.0.2.20", "secrets_folder": folder}})
    assert "secrets_folder = " in line and "must be a path" in line
