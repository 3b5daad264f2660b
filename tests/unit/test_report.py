"""``python -m settings``: what is set, from where, and what is wrong; no host, no question, no opened secret."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from settings.secret import Secret
from settings.secrets.sealed import Place
from tests import made_up
from tests.unit import programs
from tests.unit.checkout import checkout, run
from tests.unit.keys import operator, vault

INVENTORY = "inventory/production.py"
HOSTS = """\
_PORTAL = ("data", {"address": "192.0.2.20", "base_minimum_memory": 4000})
portal = [_PORTAL]
postgresql = [_PORTAL]
redis = [("cache", {"address": "192.0.2.21"})]
solr = [_PORTAL]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = checkout(tmp_path / "checkout")
    (made / INVENTORY).write_text(HOSTS)
    (made / "group_data/all.py").write_text("redis_maxmemory = '100mb'\nuwsgi_workers = 2\n")
    (made / "group_data/portal.py").write_text("\nuwsgi_workers = 3\n")
    (made / "group_data/production.py").write_text("portal_fqdn = 'data.example.org'\n\nuwsgi_workers = 4\n")
    return made


def report(folder: Path, *arguments: str, secrets: bool = True, status: int = 0) -> Any:
    done = run(folder, "settings", INVENTORY, "--json", *arguments, secrets=secrets)
    assert done.returncode == status, done.stdout + done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


def origin(setting: dict[str, Any]) -> str:
    found = setting["origin"]
    line = f":{found['line']}" if found["line"] else ""
    return f"{found['place']}{line}{' from ' + ', '.join(found['inputs']) if found['inputs'] else ''}"


def test_every_kind_of_origin(folder: Path) -> None:
    found = report(folder, "--data", "nginx_timeout=9")["hosts"]
    data, cache = found["data"]["settings"], found["cache"]["settings"]
    for settings, name, value, kind, place in (
        (data, "nginx_timeout", 9, "configured", "--data"),
        (data, "base_minimum_memory", 4000, "configured", f"{INVENTORY}:1"),
        (data, "uwsgi_workers", 4, "configured", "group_data/production.py:3"),
        (cache, "redis_maxmemory", "100mb", "configured", "group_data/all.py:1"),
        (cache, "redis_bind", ["127.0.0.1", "192.0.2.21"], "derived", "derived from address, groups"),
        (cache, "redis_password", "*MASKED*", "entered", "the environment variable CKAN_DEPLOY_SECRET_REDIS_PASSWORD"),
        (data, "ckan_database_password", "*MASKED*", "derived", "derived from postgresql_password"),
        (data, "ckan_smtp_password", None, "entered", "default"),
        (cache, "base_minimum_memory", 1800, "configured", "derived from portal_flavour, groups"),
        (cache, "secrets_generate", False, "internal", "default"),
    ):
        assert (settings[name]["value"], settings[name]["kind"], origin(settings[name])) == (value, kind, place), name
    assert "redis_port" not in data and "uwsgi_port" not in cache and "ckan_fqdn" in data
    assert found["data"]["groups"] == ["portal", "postgresql", "solr", "production"]


def test_role_groups_are_weaker_than_the_environment_and_stronger_than_all(folder: Path) -> None:
    (folder / "group_data/production.py").write_text("portal_fqdn = 'data.example.org'\n")
    assert origin(report(folder)["hosts"]["data"]["settings"]["uwsgi_workers"]) == "group_data/portal.py:2"


def test_no_secret_is_shown_or_opened(folder: Path) -> None:
    done = run(folder, "settings", INVENTORY)
    assert (done.returncode, done.stderr) == (0, "")
    assert not any(value in done.stdout for value in made_up.secrets().values())
    assert re.search(
        r"^redis_password +\*MASKED\*, in the store +entered +the environment variable ", done.stdout, re.M
    )
    names = ("ckan_secret_key", "postgresql_password", "redis_password")
    store = vault(folder / "kept", operator(folder / "keys"))
    (folder / "group_data/all.py").write_text(f"secrets_folder = {str(folder / 'kept')!r}\n")
    store.set({Place(name): Secret("s3cret") for name in names})
    shutil.rmtree(folder / "keys")  # nobody opens it
    done = run(folder, "settings", INVENTORY, secrets=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^redis_password +\*MASKED\*, in the store +entered +\S+/production\.toml$", done.stdout, re.M)


def test_missing_secrets_are_said_and_those_of_the_lab_are_made_later(folder: Path) -> None:
    done = run(folder, "settings", INVENTORY, secrets=False)
    assert done.returncode == 1
    assert re.search(r"^redis_password +missing +entered", done.stdout, re.M)
    assert done.stderr.splitlines()[1] == "3 wrong:"
    assert re.search(r"^the secret redis_password is missing in \S+/production\.toml: make it with ", done.stderr, re.M)
    (folder / "group_data/all.py").write_text("secrets_generate = True\n")
    done = run(folder, "settings", INVENTORY, secrets=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "made by the next run" in done.stdout
    assert not (folder / "secrets").exists()


def test_what_is_set_in_the_repository_and_nothing_else(folder: Path) -> None:
    operator_keys, store = folder / "keys", folder / "kept"
    with (folder / "group_data/all.py").open("a") as file:
        file.write(f"secrets_folder = {str(store)!r}\n")
    vault(store, operator(operator_keys)).set({Place("redis_password"): Secret("s3cret")})
    given = {**made_up.variables()}
    given.pop("CKAN_DEPLOY_SECRET_REDIS_PASSWORD")
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | given

    def ask(*options: str) -> subprocess.CompletedProcess[str]:
        return programs.run(["-m", "settings", INVENTORY, "--data", "nginx_timeout=9", *options], cwd=folder, env=env)

    done = ask("--mine", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = {host: {*values["settings"]} for host, values in json.loads(done.stdout)["hosts"].items()}
    assert found == {
        "data": {"address", "base_minimum_memory", "portal_fqdn", "secrets_folder", "uwsgi_workers"},
        "cache": {"address", "redis_maxmemory", "redis_password", "secrets_folder"},
    }
    done = ask("--mine")
    assert (done.returncode, done.stderr) == (0, "")
    rows = [
        line for line in done.stdout.splitlines() if line and not line.startswith(("data (", "cache (", "setting "))
    ]
    assert len(rows) == sum(map(len, found.values()))
    assert not any(re.search(r" (default|derived|--data)( |$)", line) for line in rows)
    assert re.search(r"^redis_password +\*MASKED\*, in the store +entered +\S+/production\.toml$", done.stdout, re.M)
    done = ask("--mine", "nginx")
    assert (done.returncode, done.stdout) == (0, "nothing of this is set in the repository\n")
    assert len(ask().stdout.splitlines()) > 100


def test_some_hosts_settings_and_components(folder: Path) -> None:
    found = report(folder, "--host", "cache", "redis_port", "base")["hosts"]
    assert list(found) == ["cache"]
    assert list(found["cache"]["settings"])[-1] == "redis_port"
    assert {name.partition("_")[0] for name in found["cache"]["settings"]} == {"base", "redis"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((INVENTORY, "--host", "dat"), "there is no host dat; did you mean data?"),
        ((INVENTORY, "redis_prot"), "redis_prot is no setting and no component; did you mean redis_port?"),
        ((INVENTORY, "--host", "cache", "solr_port"), "cache has none of solr_port"),
        (("inventory/prod.py",), "there is no inventory inventory/prod.py; there are inventory/production.py"),
    ],
)
def test_what_does_not_exist(arguments: tuple[str, ...], says: str, folder: Path) -> None:
    done = run(folder, "settings", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"{says}\n")
    done = run(folder, "settings", "--json", *arguments)
    assert (done.returncode, done.stderr) == (1, "")
    assert json.loads(done.stdout)["problems"] == [{"text": says}]


def test_an_inventory_without_hosts(folder: Path) -> None:
    (folder / INVENTORY).write_text("portal = []\n")
    done = run(folder, "settings", INVENTORY)
    assert done.returncode == 1
    assert "production.py:1: group portal: it has no host, but must have one" in done.stderr
    assert len(done.stderr.splitlines()) == 6


@pytest.mark.parametrize("arguments", [(), (INVENTORY, "--nope"), (INVENTORY, "--data", "redis_port")])
def test_wrong_usage(arguments: tuple[str, ...], folder: Path) -> None:
    done = run(folder, "settings", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: python -m settings" in done.stderr


@pytest.mark.parametrize("module", ["settings", "pyinfra"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = (\n", r"group_data/all\.py:1: this is no Python: '\(' was never closed; correct it"),
        ("a = 1\nb = c\n", r"group_data/all\.py:2: this fails: NameError: name 'c' is not defined; correct it"),
        ("import nothing_of_this_name\n", r"group_data/all\.py:1: this fails: ModuleNotFoundError: .*; correct it"),
        ("def f():\n    raise KeyError\n\nf()\n", r"group_data/all\.py:2: this fails: KeyError; correct it"),
        ("a = 1\nraise SystemExit\n", r"group_data/all\.py:2: this fails: SystemExit; correct it"),
        ("import sys\n\nsys.exit(0)\n", r"group_data/all\.py:3: this fails: SystemExit: 0; correct it"),
    ],
)
def test_a_data_file_that_cannot_be_loaded(module: str, text: str, says: str, folder: Path) -> None:
    (folder / "group_data/all.py").write_text(text)
    done = run(folder, module, INVENTORY, *(["deploy.py", "--dry"] if module == "pyinfra" else []))
    assert done.returncode == 1
    assert re.search(f"^{says}$", done.stderr, re.M), done.stderr
    assert "Traceback" not in done.stderr and "Connecting" not in done.stderr


def test_an_inventory_that_ends_the_program(folder: Path) -> None:
    (folder / INVENTORY).write_text("raise SystemExit('enough')\n")
    done = run(folder, "settings", INVENTORY)
    assert done.returncode == 1
    assert f"{INVENTORY}:1: this fails: SystemExit: enough; correct it" in done.stderr


def test_a_damaged_store_is_one_problem_among_others(folder: Path) -> None:
    store = folder / "kept"
    store.mkdir()
    (store / "production.toml").write_text("format = 7\n")
    (folder / "group_data/all.py").write_text(f"secrets_folder = {str(store)!r}\nredis_port = 'x'\n")
    found = report(folder, secrets=False, status=1)
    assert [problem["says"].partition(":")[0] for problem in found["problems"]] == [
        "redis_port = 'x'",
        f"{store}/production.toml has the format 7; this checkout knows up to 1",
    ]
    assert found["hosts"]["data"]["settings"]["ckan_secret_key"]["state"] == "not known"


def test_a_variable_that_gives_no_secret_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CKAN_DEPLOY_SECRET_POSTGRES_PASSWORD", "s3cret-value")
    for module, *options in (["settings"], ["pyinfra", "deploy.py", "--dry"]):
        done = run(folder, module, INVENTORY, *options)
        assert done.returncode == 1 and "s3cret-value" not in done.stdout + done.stderr
        assert (
            "the environment variable CKAN_DEPLOY_SECRET_POSTGRES_PASSWORD gives no secret that there is; did you mean "
            "CKAN_DEPLOY_SECRET_POSTGRESQL_PASSWORD?" in done.stderr
        )


@pytest.mark.parametrize("options", [[], ["--json"]], ids=str)
def test_a_reader_that_has_seen_enough(options: list[str], folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with (folder / "complaints").open("w+") as complaints, open(os.devnull) as nothing:  # noqa: PTH123
        done = programs.start(
            ["-m", "settings", INVENTORY, *options], cwd=folder, env=os.environ,
            stdin=nothing.fileno(), stdout=writing, stderr=complaints.fileno(),
        )  # fmt: skip
        os.close(writing)
        assert done.wait() == 128 + signal.SIGPIPE
        complaints.seek(0)
        said = complaints.read()
    assert "Traceback" not in said and "BrokenPipe" not in said


def test_all_files_that_are_no_python_are_said(folder: Path) -> None:
    for name in ("all", "portal"):
        (folder / f"group_data/{name}.py").write_text("a = = 1\n")
    done = run(folder, "settings", INVENTORY)
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()[1:]] == [
        "group_data/all.py:1", "group_data/portal.py:1",
    ]  # fmt: skip


def test_an_inventory_that_pyinfra_cannot_take(folder: Path) -> None:
    (folder / INVENTORY).write_text('portal = ["@nosuch/data"]\n')
    done = run(folder, "settings", INVENTORY)
    assert done.returncode == 1
    assert (
        f"{INVENTORY}: pyinfra cannot take this inventory: NoConnectorError: Invalid connector: nosuch" in done.stderr
    )


def test_pyinfra_must_take_the_same_value_of_its_own_names(folder: Path) -> None:
    """In pyinfra the group that is defined last wins, here the role group."""
    (folder / INVENTORY).write_text('production = ["data", "cache"]\n' + HOSTS)
    (folder / "group_data/production.py").write_text("portal_fqdn = 'data.example.org'\nssh_user = 'a'\n")
    (folder / "group_data/portal.py").write_text("ssh_user = 'b'\nuwsgi_workers = 3\n")
    done = run(folder, "settings", INVENTORY)
    assert done.stderr.splitlines()[2:] == [
        "group_data/production.py:2: ssh_user for group production is stronger than that for group portal "
        "(group_data/portal.py:1), but pyinfra, which reads it, takes the latter; set ssh_user for one of them only"
    ]


# --- another state of the repository ----------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.org")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(folder: Path) -> Path:
    (folder / "inventory/secrets").mkdir()
    (folder / "inventory/secrets/production.toml").write_text(
        'format = 1\n[secrets]\nredis_password = "A"\nckan_secret_key = "B"\n[host.data]\npostgresql_password = "C"\n'
    )
    git(folder, "init", "-q")
    git(folder, "add", "inventory", "group_data")
    git(folder, "commit", "-qm", "x")
    return folder


def test_nothing_differs_at_first(repository: Path) -> None:
    done = run(repository, "settings", INVENTORY, "--changed-from", "HEAD")
    assert (done.returncode, done.stdout, done.stderr) == (0, "nothing differs\n", "")


def test_what_differs_is_said_with_both_places(repository: Path) -> None:
    (repository / "group_data/all.py").write_text("# moved down\nredis_maxmemory = '200mb'\nuwsgi_workers = 2\n")
    (repository / "group_data/production.py").write_text("portal_fqdn = 'other.example.org'\n")
    (repository / INVENTORY).write_text(HOSTS.replace("cache", "jobs"))
    (repository / "inventory/secrets/production.toml").write_text(
        'format = 1\n[secrets]\nredis_password = "A2"\nckan_smtp_password = "D"\n'
        '[host.data]\npostgresql_password = "C"\n'
    )
    done = run(repository, "settings", INVENTORY, "--changed-from", "HEAD")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert (
        "data  portal_fqdn  changed: 'data.example.org' (group_data/production.py:1) -> 'other.example.org' "
        "(group_data/production.py:1)" in lines
    )
    assert "data  uwsgi_workers  changed: 4 (group_data/production.py:3) -> 3 (group_data/portal.py:2)" in lines
    assert (
        "data  nginx_fqdn  changed: 'data.example.org' (derived from portal_fqdn) -> 'other.example.org' "
        "(derived from portal_fqdn)" in lines
    )
    assert "jobs  redis_maxmemory  added: '200mb' (group_data/all.py:2)" in lines
    assert "cache  redis_maxmemory  removed: '100mb' (group_data/all.py:1)" in lines
    assert [line for line in lines if "secret " in line] == [
        "all hosts  ckan_secret_key  secret removed",
        "all hosts  ckan_smtp_password  secret added",
        "all hosts  redis_password  secret encrypted anew",
    ]
    found = run(
        repository, "settings", INVENTORY, "--changed-from", "HEAD", "--json", "uwsgi_workers", "redis_password"
    )
    assert [(one["host"], one["setting"], one["change"]) for one in json.loads(found.stdout)] == [
        ("data", "uwsgi_workers", "changed"),
        ("", "redis_password", "secret encrypted anew"),
    ]


def test_a_state_with_mistakes_can_be_compared(repository: Path) -> None:
    (repository / "group_data/all.py").write_text("redis_maxmemory = 'much'\n")
    done = run(repository, "settings", INVENTORY, "--changed-from", "HEAD", "redis_maxmemory")
    assert done.returncode == 1
    assert "1 wrong:" in done.stderr and "redis_maxmemory = 'much': must be a size" in done.stderr
    assert done.stdout == (
        "cache  redis_maxmemory  changed: '100mb' (group_data/all.py:1) -> not known (group_data/all.py:1)\n"
    )


@pytest.mark.parametrize("ref", ["nosuch", "--help", "HEAD:inventory"])
def test_a_state_that_does_not_exist(ref: str, repository: Path) -> None:
    done = run(repository, "settings", INVENTORY, f"--changed-from={ref}")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"git knows no state {ref} of this folder")


def test_an_inventory_that_was_not_there(repository: Path) -> None:
    (repository / "inventory/new.py").write_text(HOSTS)
    (repository / "group_data/new.py").write_text("portal_fqdn = 'new.example.org'\n")
    done = run(repository, "settings", "inventory/new.py", "--changed-from", "HEAD")
    assert (done.returncode, done.stderr) == (1, "there is no inventory/new.py in HEAD\n")


def test_a_former_state_that_cannot_be_loaded(repository: Path) -> None:
    (repository / "group_data/all.py").write_text("a = = 1\n")
    git(repository, "commit", "-qam", "broken")
    (repository / "group_data/all.py").write_text("")
    done = run(repository, "settings", INVENTORY, "--changed-from", "HEAD")
    assert done.returncode == 1
    assert (
        "the settings in HEAD cannot be read:" in done.stderr
        and "group_data/all.py:1: this is no Python" in done.stderr
    )
