"""Development hosts: their settings, their locks, and what the tasks say and refuse."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploys.ckan import code, editable
from facts.git import CheckoutState
from operations.python import locked_versions
from settings.develop import FOLDER, PACKAGES
from settings.host import SettingsError
from settings.locks import lock
from settings.releases import RELEASES
from settings.resolve import resolve
from settings.store import SecretStore
from tasks import develop, test_extensions
from tests import made_up
from tests.unit import programs
from tests.unit.checkout import ROOT
from tests.unit.test_settings import ONE, sources

DCOR = {
    "portal_flavour": "dcor",
    "object_storage_endpoint": "https://s3.example.org",
    "object_storage_access_key_id": "A",
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SecretStore:
    monkeypatch.setenv("CKAN_DEPLOY_SECRET_OBJECT_STORAGE_SECRET_ACCESS_KEY", "not-a-secret")
    return SecretStore(tmp_path, generate=True)


@pytest.mark.parametrize("python", sorted({release.python for release in RELEASES.values()}))
def test_the_lock_is_the_flavour_s_without_its_packages_and_with_pytest(python: str) -> None:
    dcor, development = (locked_versions(lock(name, python)) for name in ("dcor", "dcor-dev"))
    ours = {package.lower().replace("_", "-") for package in PACKAGES}
    assert ours <= dcor.keys()
    assert {name: version for name, version in dcor.items() if name not in ours}.items() <= development.items()
    assert development.keys().isdisjoint(ours)
    assert {"pytest", "pytest-ckan", "pytest-factoryboy", "requests-toolbelt"} <= development.keys() - dcor.keys()


def test_a_development_host_takes_what_is_not_set_from_the_lock(store: SecretStore) -> None:
    data = {**DCOR, "develop_enabled": True, "develop_refs": {"dcor_shared": "feature/x"}}
    host = resolve(sources(ONE, data), store)["data"]
    assert host.develop and host.ckan
    assert host.develop.ref("dcor_shared") == "feature/x"
    assert host.develop.ref("ckanext-dc_serve") == locked_versions(lock("dcor", "3.12"))["ckanext-dc-serve"]
    assert editable(host.ckan)["dcor_control"] == f"{FOLDER}/dcor_control"
    assert f"{FOLDER}/ckanext-dc_view/ckanext" in code(host.ckan)


def test_other_hosts_know_nothing_of_it(store: SecretStore) -> None:
    host = resolve(sources(ONE, DCOR), store)["data"]
    assert host.develop is None
    assert host.ckan and editable(host.ckan) == {}
    assert not [path for path in code(host.ckan) if path.startswith(FOLDER)]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        ({"develop_enabled": True}, "a plain CKAN has none of DCOR's packages; set portal_flavour = 'dcor'"),
        ({"develop_refs": {"dcor_other": "1.0"}}, "must be a dictionary of refs, its keys of dcor_shared, "),
        ({"develop_refs": {"dcor_shared": "--upload-pack=x"}}, "develop_refs"),
        ({"develop_remote": "https://example.org/"}, "must be an address that git knows, without a slash at its end"),
        ({"develop_remote": "https://user:token@git.example.org/dcor"}, "would be readable on the host"),
        ({"develop_remote": "--upload-pack=x:y"}, "must be an address that git knows"),
    ],
)
def test_wrong_settings(data: dict[str, object], says: str, store: SecretStore) -> None:
    with pytest.raises(SettingsError) as caught:
        resolve(sources(ONE, data), store)
    assert says in str(caught.value)


def test_the_task_says_what_moved() -> None:
    path = f"{FOLDER}/dcor_shared"
    old = {path: CheckoutState(repository=True, head="a" * 40, described="1.0.3")}
    new = {path: CheckoutState(repository=True, head="b" * 40, described="1.0.4")}
    assert develop.moves(old, new)[0] == "dcor_shared: 1.0.3 (aaaaaaaaa) -> 1.0.4 (bbbbbbbbb)"
    assert develop.moves(new, new)[0] == "dcor_shared: 1.0.4 (bbbbbbbbb), as before"
    assert develop.moves({}, new)[0] == "dcor_shared: not there -> 1.0.4 (bbbbbbbbb)"


@pytest.mark.parametrize("ref", ["dcor_shared", "dcor_shared=", "other=1.0"])
def test_the_task_refuses_what_is_no_ref(ref: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert develop.main(["inventory/dev.py", "--ref", ref]) == 1
    assert "write PACKAGE=REF; packages are dcor_shared, " in capsys.readouterr().err


@pytest.mark.parametrize("task", ["develop", "test_extensions"])
def test_tasks_are_refused_elsewhere(task: str) -> None:
    """Else the tests would empty the database of a portal that people use."""
    environment = os.environ | made_up.variables()
    done = programs.run(["-m", f"tasks.{task}", "inventory/production.py"], cwd=ROOT, env=environment)
    assert (done.returncode, "has no development host" in done.stderr) == (1, True), done.stdout + done.stderr


def test_packages_are_named_before_anything_is_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert test_extensions.main(["inventory/dev.py", "ckanext-x"]) == 1
    assert "ckanext-x: no package of DCOR's" in capsys.readouterr().err
