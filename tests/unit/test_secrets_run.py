"""The store of secrets as a run uses it: where a secret comes from, what is missing, what is asked."""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import sys
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest
from gevent.monkey import get_original

from settings.asking import ask
from settings.host import SettingsError
from settings.offline import Offline
from settings.outline import Outline
from settings.report import rows
from settings.resolve import examine, resolve, store_for
from settings.secret import Secret
from settings.secrets import file, identity, members, terminal
from settings.secrets.errors import SecretsError
from settings.secrets.made import ThrowawayVault
from settings.secrets.sealed import Place
from settings.secrets.vault import Vault
from settings.sources import HostSource, Level
from settings.store import ROOT, SecretStore
from tests.unit.keys import PASSPHRASE, Operator, operator, put, raw, vault
from tests.unit.test_settings import ONE, SPLIT, layer, sources

NAME = "postgresql_password"


@pytest.fixture(autouse=True)
def _no_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_opened", {})
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(terminal, "there", lambda: False)


@pytest.fixture
def alice(tmp_path: Path) -> Operator:
    return operator(tmp_path / "keys")


@pytest.fixture
def store(tmp_path: Path, alice: Operator) -> SecretStore:
    return new_store(tmp_path, alice)


def new_store(tmp_path: Path, *operators: Operator) -> SecretStore:
    made = vault(tmp_path / "secrets", *operators)
    return SecretStore(made.folder, "production", identities=operators[0].identities)


def value(found: Secret | None) -> str:
    assert found is not None
    return found.unmask()


# --- where a secret comes from ----------------------------------------------------------------------------------------


def test_the_host_s_own_wins(store: SecretStore) -> None:
    store.vault.set({Place(NAME): Secret("everybody's"), Place(NAME, "data"): Secret("data's")})
    assert value(store.get(NAME)) == value(store.get(NAME, "search")) == "everybody's"
    assert value(store.get(NAME, "data")) == "data's"
    assert store.origin(NAME) == store.origin(NAME, "search") == str(store.vault.path)
    assert store.origin(NAME, "data") == f"{store.vault.path}, host data"
    assert store.problems == []


def test_a_variable_wins(store: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.vault.set({Place(NAME, "data"): Secret("data's")})
    monkeypatch.setenv("CKAN_DEPLOY_SECRET_POSTGRESQL_PASSWORD", "other")
    assert value(store.get(NAME, "data")) == "other"
    assert store.origin(NAME) == "the environment variable CKAN_DEPLOY_SECRET_POSTGRESQL_PASSWORD"
    for wrong in ("two\nlines = in an ini file", " "):
        monkeypatch.setenv("CKAN_DEPLOY_SECRET_POSTGRESQL_PASSWORD", wrong)
        store.problems.clear()
        assert store.get(NAME) is None
        (problem,) = store.problems
        assert problem.startswith(
            f"the secret {NAME} in the environment variable CKAN_DEPLOY_SECRET_POSTGRESQL_PASSWORD "
        )
        assert wrong not in problem or not wrong.strip()


def test_what_is_missing_is_said_with_the_command(store: SecretStore) -> None:
    for name in (NAME, NAME, "ckan_smtp_password"):
        assert store.get(name, "data") is None
    assert store.problems == [
        f"the secret {NAME} is missing in {store.vault.path}: "
        "make it with `python -m settings.secrets generate inventory/production.py`",
        f"the secret ckan_smtp_password is missing in {store.vault.path}: "
        "give it with `python -m settings.secrets set inventory/production.py ckan_smtp_password` "
        "(Its password; needed only with ckan_smtp_user)",
    ]
    assert store.origin(NAME) == "missing"


def test_what_cannot_be_opened_is_a_problem(store: SecretStore) -> None:
    store.vault.set({Place(NAME): Secret("x"), Place("ckan_secret_key"): Secret("y")})
    put(store.vault, NAME, raw(store.vault, NAME)[:50])
    assert store.get(NAME) is None
    assert value(store.get("ckan_secret_key")) == "y"
    (problem,) = store.problems
    assert problem.startswith(f"the secret {NAME} in {store.vault.path} is damaged")


def test_a_wrong_key_is_one_problem_for_all_secrets(store: SecretStore, tmp_path: Path) -> None:
    store.vault.set({Place(NAME): Secret("x"), Place("ckan_secret_key"): Secret("y")})
    other = SecretStore(store.vault.folder, "production", identities=operator(tmp_path / "keys", "eve").identities)
    assert other.get(NAME) is None and other.get("ckan_secret_key") is None
    (problem,) = other.problems
    assert "is no recipient" in problem


def test_a_file_that_is_damaged_is_one_problem(store: SecretStore) -> None:
    store.vault.path.write_text("format = 7\n")
    assert store.get(NAME) is None and store.get("x", "data") is None
    (problem,) = store.problems
    assert "has the format 7" in problem
    with pytest.raises(SecretsError):
        store.origin(NAME)


def test_nothing_is_opened_before_it_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    locked = operator(tmp_path / "keys", passphrase=PASSPHRASE)
    store = new_store(tmp_path, locked)
    store.vault.set({Place(name): Secret(name) for name in (NAME, "ckan_secret_key", "redis_password")})
    person = Person(monkeypatch, [PASSPHRASE], [])
    assert store.origin(NAME) and store.has(NAME)
    outline = Outline.of(store, lambda outline: resolve(sources(), outline))
    assert (outline.problems, outline.missing_places, outline.wrong_settings) == ([], [], [])
    ask(store, lambda outline: resolve(sources(), outline))
    monkeypatch.setenv("CKAN_DEPLOY_SECRET_POSTGRESQL_PASSWORD", "x")
    assert value(store.get(NAME)) == "x"
    assert person.asked == []
    assert value(store.get("ckan_secret_key")) == "ckan_secret_key"
    assert value(store.get("ckan_secret_key", "data")) == "ckan_secret_key"
    assert len(person.asked) == 1


def test_the_store_that_the_inventory_names(tmp_path: Path) -> None:
    def of(groups: tuple[str, ...], **data: Any) -> SecretStore:
        return store_for({"data": HostSource(groups, (layer(Level.ALL, "all", data),))})

    assert of(("portal", "solr", "production")).vault.path == ROOT / "inventory/secrets/production.toml"
    assert of(("portal", "here", "@local")).vault.path == ROOT / "inventory/secrets/here.toml"
    assert of(("portal", "europe", "dev"), secrets_folder="../private").vault.path == ROOT / "../private/dev.toml"
    lab = of(("portal", "lab"), secrets_folder=str(tmp_path), secrets_generate=True)
    assert lab.generate and lab.vault.path == tmp_path / "lab.toml"
    assert not of(("portal", "production")).generate
    assert not store_for({}).generate


@pytest.mark.parametrize(("host", "folder"), [("data", 7), ("search", "elsewhere")])
def test_nothing_is_missing_in_a_store_that_the_settings_do_not_place(
    host: str, folder: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else a run would ask for secrets, and tell of commands, for a folder that nobody named."""
    found = sources(SPLIT, {}, {host: {"secrets_folder": folder}})
    person = Person(monkeypatch, [], [])
    store = store_for(found)
    ask(store, lambda outline: resolve(found, outline))
    for one in (store, Offline(store)):
        problems = [str(problem) for problem in examine(found, one).problems]
        assert len(problems) == 1 and "secrets_folder = " in problems[0]
    assert person.asked == []


def test_what_an_inventory_needs(store: SecretStore) -> None:
    def needed(groups: Any, **data: Any) -> list[str]:
        return [p.name for p in Outline.of(store, lambda o: resolve(sources(groups, data), o)).missing_places]

    mail = {"ckan_smtp_user": "u", "ckan_sysadmin": "admin", "ckan_sysadmin_email": "a@example.org"}
    assert needed(ONE) == ["ckan_secret_key", NAME, "redis_password"]
    assert needed(SPLIT) == ["ckan_secret_key", NAME, "redis_password"]
    assert needed(ONE, **mail) == [
        "ckan_secret_key",
        "ckan_smtp_password",
        "ckan_sysadmin_password",
        NAME,
        "redis_password",
    ]
    outline = Outline.of(store, lambda o: resolve(sources(ONE, {"redis_port": 0}), o))
    assert any("redis_port = 0" in line for line in outline.wrong_settings)


def test_each_host_may_have_its_own_password_of_the_mail_server(store: SecretStore) -> None:
    """Every host sends mail of its own, as another user where it says so."""
    name = "patching_smtp_password"
    store.vault.set({Place(one): Secret(f"{one}-x") for one in ("ckan_secret_key", NAME, "redis_password", name)})
    store.vault.set({Place(name, "search"): Secret("of search alone"), Place(name, "data"): Secret("nobody needs it")})
    mail = {
        "patching_smtp_server": "m:587",
        "patching_smtp_user": "hosts",
        "patching_mail_from": "h@example.org",
        "patching_mail_to": "o@example.org",
    }
    hosts = {"data": {"patching_smtp_user": ""}, "search": {"patching_smtp_user": "search"}}
    found = resolve(sources(SPLIT, mail, hosts), store)
    passwords = {host: found[host].patching.smtp_password for host in found}
    assert passwords.pop("data") is None
    assert {host: value(password) for host, password in passwords.items()} == {
        "database": f"{name}-x",
        "cache": f"{name}-x",
        "search": "of search alone",
    }
    outline = Outline.of(store, lambda o: resolve(sources(SPLIT, mail, hosts), o))
    assert {place.host for place in outline.wanted if place.name == name} == {"", "search"}
    offline = Offline(store)
    shown = {
        row.host: (row.state, str(row.origin))
        for row in rows(examine(sources(SPLIT, mail, hosts), offline), offline)
        if row.name == name
    }
    assert shown["data"] == ("not needed", "default")
    assert shown["cache"] == ("in the store", str(store.vault.path))
    assert shown["search"] == ("in the store", f"{store.vault.path}, host search")


# --- asking -----------------------------------------------------------------------------------------------------------


class Person:
    """Somebody at the terminal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, hidden: list[str], agrees: list[bool]) -> None:
        self.asked: list[str] = []
        self.answers, self.agrees = hidden, agrees
        monkeypatch.setattr(terminal, "there", lambda: True)
        monkeypatch.setattr(terminal, "hidden", self.hidden)
        monkeypatch.setattr(terminal, "agreed", self.agreed)

    def hidden(self, prompt: str) -> Secret:
        self.asked.append(prompt)
        return Secret(self.answers.pop(0))

    def agreed(self, question: str) -> bool:
        self.asked.append(question)
        return self.agrees.pop(0)


MAIL = {"ckan_smtp_server": "m:25", "ckan_smtp_user": "u", "ckan_mail_from": "p@example.org"}


def run(store: SecretStore) -> Any:
    """Resolve as a run does."""
    hosts = sources(ONE, MAIL)
    ask(store, lambda outline: resolve(hosts, outline))
    return resolve(hosts, store)["data"].ckan


@pytest.mark.parametrize("keep", [True, False])
def test_a_person_is_asked_for_what_is_missing(keep: bool, store: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person(monkeypatch, ["smtp-s3cret", "smtp-s3cret"], [True, keep])
    ckan = run(store)
    assert ckan.smtp_password.unmask() == "smtp-s3cret"
    for words, asked in zip(
        ("by chance: ckan_secret_key, ", "ckan_smtp_password (Its", "The same again", "Keep"), person.asked, strict=True
    ):
        assert words in asked
    kept = {place.name for place in store.vault.contents().sealed}
    assert kept == {"ckan_secret_key", NAME, "redis_password"} | ({"ckan_smtp_password"} if keep else set())
    again = SecretStore(store.vault.folder, "production", identities=store.vault.identities)
    Person(monkeypatch, ["typed again", "typed again"], [False])
    assert run(again).secret_key.unmask() == ckan.secret_key.unmask()
    assert again.origin("ckan_smtp_password") == (str(store.vault.path) if keep else "entered for this run")


def test_what_cannot_be_kept_is_used_all_the_same(
    store: SecretStore, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Somebody became a recipient since: who typed a long value is not to type it again for that."""
    store.vault.set({Place(name): Secret(f"{name}-x") for name in (NAME, "ckan_secret_key", "redis_password")})
    with store.vault.recipients_path.open("a") as file:
        file.write(f"{operator(store.vault.folder / 'keys', 'bob').line}\n")
    person = Person(monkeypatch, ["smtp-s3cret", "smtp-s3cret"], [])
    assert run(store).smtp_password.unmask() == "smtp-s3cret"
    assert len(person.asked) == 2
    said = capsys.readouterr().err
    assert (
        "What you entered is used for this run, but not kept: " in said and "production.py sync` encrypts all" in said
    )


@pytest.mark.parametrize(
    ("answers", "agrees", "says"),
    [
        (["\x01long enough"], [True], "cannot be used: it must be one line"),
        (["short"], [True], "cannot be used: it must have at least"),
        (["one of them", "the other one"], [True], "The two values differ"),
        ([""], [True], ""),
        ([], [False], ""),  # who does not want the others is not asked for more
    ],
    ids=["control", "short", "differ", "none", "no"],
)
def test_a_person_who_gives_nothing_stops_the_run(
    answers: list[str], agrees: list[bool], says: str, store: SecretStore, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    made = {NAME, "ckan_secret_key", "redis_password"} if agrees == [True] else set()
    Person(monkeypatch, answers, agrees)
    with pytest.raises(SettingsError) as caught:
        run(store)
    missing = {NAME, "ckan_secret_key", "redis_password", "ckan_smtp_password"} - made
    assert {line.split()[2] for line in caught.value.problems} == missing
    assert says in capsys.readouterr().err
    assert {place.name for place in store.vault.contents().sealed} == made


def test_nobody_is_asked_without_a_terminal(store: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    person = Person(monkeypatch, [], [])
    monkeypatch.setattr(terminal, "there", lambda: False)
    with pytest.raises(SettingsError) as caught:
        run(store)
    assert person.asked == [] and len(caught.value.problems) == 4


def test_nobody_is_asked_while_the_settings_are_wrong(store: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """That run stops anyway: all that is wrong is said first, with what is missing."""
    person = Person(monkeypatch, [], [])
    hosts = sources(ONE, {**MAIL, "redis_port": 0})
    ask(store, lambda outline: resolve(hosts, outline))
    with pytest.raises(SettingsError) as caught:
        resolve(hosts, store)
    assert person.asked == [] and len(caught.value.problems) == 5


def test_nobody_is_asked_who_said_yes_to_all(store: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """With ``-y`` a run asks nothing, at a terminal either."""
    person = Person(monkeypatch, [], [])
    with click.Context(click.Command("pyinfra")) as context:
        context.params = {"yes": True}
        with pytest.raises(SettingsError) as caught:
            run(store)
    assert person.asked == [] and len(caught.value.problems) == 4


def test_nobody_is_asked_when_the_file_is_damaged(store: SecretStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.vault.path.write_text("format = 7\n")
    person = Person(monkeypatch, [], [])
    with pytest.raises(SettingsError, match="has the format 7"):
        run(store)
    assert person.asked == []


# --- a store that makes its own ---------------------------------------------------------------------------------------


def test_the_lab_makes_its_own(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        store = SecretStore(tmp_path / "s", "lab", generate=True)
        assert store.origin("x") == "made by the next run"
        first = value(store.get("x"))
    finally:
        os.umask(before)
    assert value(SecretStore(tmp_path / "s", "lab", generate=True).get("x", "data")) == first != value(store.get("y"))
    assert len(first) >= 43
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "s").iterdir()}
    assert modes == {"identity": 0o600, "recipients": 0o644, "lab.toml": 0o644}
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o700
    assert first not in (tmp_path / "s/lab.toml").read_text()
    assert store.problems == []


def test_the_operator_s_key_is_not_the_lab_s(tmp_path: Path, alice: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CKAN_DEPLOY_IDENTITY", str(alice.path))
    store = SecretStore(tmp_path / "s", "lab", generate=True)
    assert store.get("x") and not store.problems


def test_a_store_without_its_throwaway_key_is_somebody_s(tmp_path: Path) -> None:
    """Not replaced, whatever secrets_generate says: it may be a real portal's."""
    assert SecretStore(tmp_path, "lab", generate=True).get("x")
    (tmp_path / "identity").unlink()
    identity._opened.clear()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    store = SecretStore(tmp_path, "lab", generate=True)
    assert store.get("y") is None
    assert "it is somebody's; set secrets_folder to a folder of its own" in store.problems[0]
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def _make(folder: Path, barrier: Any, queue: Any) -> None:
    barrier.wait()
    store = SecretStore(folder, "lab", generate=True)
    queue.put([value(store.get(name)) for name in ("x", "y")])


def test_runs_at_once_make_one_secret(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for attempt in range(5):
        barrier, queue = context.Barrier(3), context.Queue()
        folder = tmp_path / str(attempt)
        runs = [context.Process(target=_make, args=(folder, barrier, queue)) for _ in range(3)]
        for one in runs:
            one.start()
        made = {tuple(queue.get(timeout=120)) for _ in runs}
        for one in runs:
            one.join()
        assert len(made) == 1
        assert sorted(path.name for path in folder.iterdir()) == ["identity", "lab.toml", "recipients"]


# --- writers at once, and killed --------------------------------------------------------------------------------------


def _set(opened: Vault, name: str, barrier: Any) -> None:
    barrier.wait()
    for number in range(5):
        opened.set({Place(f"{name}_{number}"): Secret("x")})


def test_writers_at_once_lose_nothing(store: SecretStore) -> None:
    context = multiprocessing.get_context("fork")
    barrier = context.Barrier(4)
    writers = [context.Process(target=_set, args=(store.vault, name, barrier)) for name in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(store.vault.open_all()) == 20


# The system's own: gevent's, which other tests' imports bring, now and then miss a child's end.
_fork, _waitpid = get_original("os", "fork"), get_original("os", "waitpid")


def killed(step: int, work: Any) -> bool:
    """Do WORK in a child that is killed before the line number STEP of what writes; whether it came so far."""
    pid = _fork()
    if pid == 0:
        left = [step]

        def trace(frame: Any, event: str, argument: object) -> Any:
            if frame.f_code.co_filename not in (file.__file__, members.__file__):
                return trace if "settings" in frame.f_code.co_filename else None
            if event == "line" and frame.f_code.co_name in ("write", "_change", "locked", "make"):
                left[0] -= 1
                if left[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
            return trace

        sys.settrace(trace)
        try:
            work()
        finally:
            sys.settrace(None)
            os._exit(0)
    status = _waitpid(pid, 0)[1]
    return os.WIFSIGNALED(status)


def test_a_killed_set_leaves_the_old_file_or_the_new_one(store: SecretStore) -> None:
    opened = store.vault
    opened.set({Place(NAME): Secret("old"), Place("ckan_secret_key"): Secret("other")})
    old = opened.path.read_bytes()
    step, seen = 1, set()
    while killed(step, lambda: opened.set({Place(NAME): Secret("new")})):
        now = opened.path.read_bytes()
        found = {place.name: secret.unmask() for place, secret in opened.open_all().items()}
        assert found == {NAME: "old" if now == old else "new", "ckan_secret_key": "other"}
        assert stat.S_IMODE(opened.path.stat().st_mode) == 0o644
        seen.add(found[NAME])
        opened.set({Place(NAME): Secret("old")})  # nothing of the killed one stands in the way, or stays
        assert sorted(path.name for path in opened.folder.iterdir()) == ["production.toml", "recipients"]
        old = opened.path.read_bytes()
        step += 1
    assert step > 12 and seen == {"old", "new"}


def test_a_killed_change_of_recipients_is_noticed_and_completed(store: SecretStore, tmp_path: Path) -> None:
    opened = store.vault
    bob = operator(tmp_path / "keys", "bob")
    opened.set({Place(NAME): Secret("x")})
    dev = Vault(opened.folder, "dev", opened.identities)
    dev.set({Place(NAME): Secret("y")})
    before = {path: path.read_bytes() for path in opened.folder.iterdir()}
    step, states = 1, set()
    while killed(step, lambda: members.add(opened, bob.line)):
        added = len(opened.recipients()) == 2
        assert {opened.open(Place(NAME)).unmask(), dev.open(Place(NAME)).unmask()} == {"x", "y"}
        states.add((added, opened.in_step(), dev.in_step()))
        if not opened.in_step():
            with pytest.raises(SecretsError, match="do not agree"):
                opened.set({Place(NAME): Secret("z")})
            members.sync(opened)
            assert opened.in_step() and dev.in_step()
            assert Vault(opened.folder, "production", bob.identities).open(Place(NAME)).unmask() == "x"
        for path, text in before.items():
            path.write_bytes(text)
        step += 1
    assert step > 30 and {(False, True, True), (True, False, False), (True, True, True)} <= states


def test_a_killed_lab_begins_again(tmp_path: Path) -> None:
    step = 1
    while killed(step, partial(ThrowawayVault(tmp_path / str(step), "lab").make, Place("x"))):
        identity._opened.clear()
        assert value(SecretStore(tmp_path / str(step), "lab", generate=True).get("x"))
        step += 1
    assert step > 30
