"""The store's files: sealed one by one, opened by those who may, refused in one sentence when something is wrong."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import tomllib
import traceback
from pathlib import Path
from typing import Any

import pyrage
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from settings.component import SecretSpec
from settings.secret import Secret
from settings.secrets import editor, file, form, identity, keyfile, made, members, terminal
from settings.secrets.errors import SecretsError
from settings.secrets.form import spec_of, taken, wrong_value
from settings.secrets.identity import Identities
from settings.secrets.recipients import Recipient
from settings.secrets.sealed import Place, is_sealed, seal, unseal
from settings.secrets.vault import Vault
from tests.unit.keys import PASSPHRASE, Operator, operator, put, raw, vault

NAME, VALUE = "postgresql_password", "s3cret-%w0rd"
A, B = Place(NAME), Place("ckan_secret_key")
# What wrong_value lets through.
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1).filter(
    lambda t: not wrong_value(t)
)


@pytest.fixture(autouse=True)
def _no_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(identity, "_opened", {})
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in (identity.VARIABLE, "SSH_AUTH_SOCK", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(terminal, "there", lambda: False)


@pytest.fixture
def alice(tmp_path: Path) -> Operator:
    return operator(tmp_path / "keys", "alice")


@pytest.fixture
def store(tmp_path: Path, alice: Operator) -> Vault:
    made = vault(tmp_path / "secrets", alice)
    made.set({A: Secret(VALUE), B: Secret("another")})
    return made


def sentence(caught: pytest.ExceptionInfo[SecretsError], *words: str) -> str:
    """Return the one sentence of an error, which has WORDS and shows no secret, not even in a traceback with locals."""
    said = str(caught.value)
    assert "\n" not in said and said
    for word in words:
        assert word in said, said
    below = caught.tb.tb_next  # the test's own locals do not count
    shown = "".join(traceback.TracebackException(caught.type, caught.value, below, capture_locals=True).format())
    assert VALUE not in shown and PASSPHRASE not in shown
    return said


def refused(vault: Vault, *words: str, place: Place = A) -> str:
    """Assert that a secret does not open, with one sentence; return that."""
    before = vault.path.read_bytes() if vault.path.is_file() else b""
    with pytest.raises(SecretsError) as caught:
        vault.open(place)
    assert before == (vault.path.read_bytes() if vault.path.is_file() else b"")
    return sentence(caught, *words)


# --- sealing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "age"])
@pytest.mark.parametrize("host", ["", "data.example.org"])
def test_each_kind_of_key_opens(kind: str, host: str, tmp_path: Path) -> None:
    one, other = operator(tmp_path, "bob", kind), operator(tmp_path, "carol", "ed25519")
    for who in (one, other):
        opened = vault(tmp_path / "s", one, other)
        opened.set({Place(NAME, host): Secret(VALUE)})
        opened.identities = who.identities
        assert opened.open(Place(NAME, host)).unmask() == VALUE


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "age"])
def test_the_standard_tool_opens_it_too(kind: str, tmp_path: Path) -> None:
    tool = shutil.which("age")
    assert tool, "the standard tool is missing: apt-get install age (script/test does)"
    one = operator(tmp_path, "bob", kind)
    opened = vault(tmp_path / "s", one, operator(tmp_path, "alice"))
    opened.set({Place(NAME, "data"): Secret(VALUE)})
    done = subprocess.run(
        [tool, "--decrypt", "-i", str(one.path)],
        input=raw(opened, NAME, "data"),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == (f"ckan-deploy secret 1\nname: {NAME}\nenvironment: production\nhost: data\n\n{VALUE}\n")


def test_what_the_standard_tool_sealed_opens(tmp_path: Path, alice: Operator) -> None:
    text = f"ckan-deploy secret 1\nname: {NAME}\nenvironment: production\n\n{VALUE}\n"
    done = subprocess.run(
        ["age", "--encrypt", "--armor", "-r", alice.public], input=text, capture_output=True, text=True, check=True
    )
    opened = vault(tmp_path / "s", alice)
    opened.set({B: Secret("x")})
    put(opened, NAME, done.stdout)
    assert opened.open(A).unmask() == VALUE


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(value=TEXTS, host=st.sampled_from(["", "data", "a b", "x.example.org"]))
def test_every_value_comes_back(value: str, host: str) -> None:
    key = pyrage.x25519.Identity.generate()
    place = Place(NAME, host)
    text = seal(place, "production", Secret(value), [Recipient(str(key.to_public()), "x")])
    assert (is_sealed(text) and value not in text.replace("\n", "")) or len(value) < 4
    assert unseal(text, place, "production", [key]).unmask() == value


@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(at=st.integers(0, 10**6), new=st.sampled_from("Ab9+=\n %"), cut=st.booleans())
def test_no_other_text_opens(at: int, new: str, cut: bool, alice: Operator) -> None:
    """One character is changed, or the text is cut: a sentence, never another error, never a value."""
    text = seal(A, "production", Secret(VALUE), [Recipient(alice.public, "x")])
    at %= text.index("\n-----END")
    changed = text[:at] if cut else text[:at] + new + text[at + 1 :]
    if changed == text:
        return
    try:
        found = unseal(changed, A, "production", alice.identities.opening([alice.public]))
    except SecretsError as error:
        assert VALUE not in str(error)
    else:  # a line break, or bits of the last character that mean nothing
        assert found.unmask() == VALUE and (new == "\n" or text[at + 1 :].startswith(("=", "\n-----END")))


def test_each_place_is_another(store: Vault) -> None:
    """Swapped, copied from another environment or to a host, and replayed under another name."""
    first, second = raw(store, A.name), raw(store, B.name)
    put(store, A.name, second)
    put(store, B.name, first)
    refused(store, f"the secret {A} in {store.path} holds another one ({B}, environment production)")
    refused(store, f"holds another one ({A}, environment production)", place=B)
    put(store, A.name, first, host="data")
    refused(store, f"the secret {A} of host data in", f"holds another one ({A}, env", place=Place(A.name, "data"))
    other = Vault(store.folder, "dev", store.identities)
    other.set({A: Secret("of dev")})
    put(store, A.name, raw(other, A.name))
    said = refused(store, f"holds another one ({A}, environment dev)")
    assert "take it back from git, or set it anew" in said and "of dev" not in said


def test_a_secret_of_a_host_in_everybody_s_place(store: Vault) -> None:
    store.set({Place(A.name, "data"): Secret("x")})
    put(store, A.name, raw(store, A.name, "data"))
    refused(store, f"holds another one ({A} of host data, environment production)")


def test_a_file_of_another_environment(store: Vault) -> None:
    store.path.rename(store.folder / "dev.toml")
    dev = Vault(store.folder, "dev", store.identities)
    refused(dev, f"{dev.path} has the secrets of the environment production, not of dev: it was put there")


def test_damaged_entries(store: Vault) -> None:
    text = raw(store, A.name)
    put(store, A.name, text[: len(text) // 2])
    refused(store, f"the secret {A} in {store.path} is damaged: it is cut short; take it back from git")
    lines = text.splitlines(keepends=True)
    put(store, A.name, "".join(lines[:-3] + lines[-1:]))
    refused(store, "is damaged")
    body = list(lines[-3])
    body[10] = "A" if body[10] != "A" else "B"
    put(store, A.name, "".join([*lines[:-3], "".join(body), *lines[-2:]]))
    refused(store, "is damaged")
    put(store, A.name, "clear text")
    refused(store, "is damaged: it is cut short")
    put(
        store,
        A.name,
        pyrage.encrypt(b"something", [Recipient(store.recipients()[0].key, "").age], armored=True).decode(),
    )
    refused(store, "was not made by this program")
    newer = f"ckan-deploy secret 2\n\n{VALUE}\n".encode()
    put(store, A.name, pyrage.encrypt(newer, [store.recipients()[0].age], armored=True).decode())
    refused(store, "was not made by this program, or was by a newer one")
    assert store.open(B).unmask() == "another"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.replace("format = 1", "format = 2"), "has the format 2; this checkout knows up to 1: update"),
        (lambda t: t.replace("format = 1\n", ""), "is no file of secrets: it does not say `format = 1`"),
        (lambda t: t.replace("format = 1", 'format = "x"'), "is no file of secrets"),
        (lambda t: t[: len(t) // 2], "is damaged: it is no TOML"),
        (lambda t: f"<<<<<<< ours\n{t}=======\n{t}>>>>>>> theirs\n", "it has the marks of a merge conflict"),
        (lambda t: "[other]\nx = 1\n" + t, "is no file of secrets"),
        (lambda t: t + "\n[other]\nx = 1\n", "is damaged: it has the unknown other"),
        (lambda t: t.replace(NAME, "UPPER"), "is damaged: UPPER is no secret"),
        (lambda t: "format = 1\nenvironment = 'production'\nsecrets = 3\n", "is damaged: a table is none"),
        (lambda t: "format = 1\nenvironment = 'production'\nhost = 3\n", "is damaged: a table is none"),
        (lambda t: "format = 1\nenvironment = 'production'\nsecrets = {a = 1}\n", "is damaged: a is no secret"),
    ],
)
def test_damaged_files(change: Any, says: str, store: Vault) -> None:
    store.path.write_text(change(store.path.read_text()))
    refused(store, f"{store.path} ", says)
    before = store.path.read_bytes()
    with pytest.raises(SecretsError, match=re.escape(says)):
        store.set({B: Secret("new")})
    assert store.path.read_bytes() == before


def test_a_file_that_cannot_be_read(store: Vault) -> None:
    store.path.write_bytes(b"\xff\xfe")
    refused(store, "is damaged: it is no text")
    store.path.unlink()
    store.path.mkdir()
    refused(store, f"{store.path} cannot be read: Is a directory")


def test_a_place_that_is_empty(store: Vault) -> None:
    refused(store, "the secret nothing is not in", "list inventory/production.py", place=Place("nothing"))


@pytest.mark.parametrize(
    ("value", "wrong"),
    [("", "empty"), ("  ", "empty"), ("a\nb", "one line"), ("a\x00", "control"), ("a\u2028b", "one line"),
     (" a", "blank"), ("a\r", "one line"), ("a\t", "control"), ("ä ö", ""), ("%w0rd'\"\\", "")],
)  # fmt: skip
def test_values(value: str, wrong: str) -> None:
    assert wrong in wrong_value(value) and bool(wrong) == bool(wrong_value(value))


@pytest.mark.parametrize(
    ("value", "wrong"),
    [("", "empty"), ("\n", "empty"), ("a\nb", ""), ("a\n\nb", ""), ("a\r\nb", "lines of text"), ("a\n\x00", "control"),
     ("a\n\u2028b", "lines of text"), ("a\nb\n", "blank"), ("\na", "blank"), ("a\n\tb", "control")],
)  # fmt: skip
def test_values_of_several_lines(value: str, wrong: str) -> None:
    found = wrong_value(value, multiline=True)
    assert wrong in found and bool(wrong) == bool(found)


def test_a_secret_of_one_line_is_never_opened_as_several(store: Vault) -> None:
    """Nor is a second line smuggled in by whoever may encrypt."""
    store.set({A: Secret(f"{VALUE}\nx = 1")})
    refused(store, f"the secret {A} in ", "holds a value that cannot be used: it must be one line")


def test_a_secret_that_says_so_has_several_lines(store: Vault, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "secrets_declared", lambda: {A.name: SecretSpec(A.name, multiline=True)})
    assert [taken(A.name, f"{text}x\n y{text}").unmask() for text in ("", "\n", "\r\n", "\n\n")] == ["x\n y"] * 4
    assert taken(A.name, "a\r\nb\r\n").unmask() == "a\nb"
    assert taken(B.name, "a\r\nb\r\n").unmask() == "a\r\nb"
    store.set({A: Secret(f"{VALUE}\n\nx = 1")})
    assert store.open(A).unmask() == f"{VALUE}\n\nx = 1"
    assert form.wrong(A.name, store.open(A)) == ""
    assert "one line" in form.wrong(B.name, store.open(A))


# --- the file ---------------------------------------------------------------------------------------------------------


def test_only_what_is_set_changes(store: Vault) -> None:
    store.set({Place(A.name, "data"): Secret("x"), Place("redis_password"): Secret("y")})
    before = store.path.read_text()
    parsed = tomllib.loads(before)
    store.set({A: Secret("new")})
    after = store.path.read_text()
    assert tomllib.loads(after)["secrets"].pop(NAME) != parsed["secrets"].pop(NAME)
    mark = f'{NAME} = """'
    head, _, rest = before.partition(mark)
    assert after.startswith(head + mark)
    assert after.endswith(rest.partition('"""\n')[2])
    assert list(parsed["secrets"]) == [B.name, "redis_password"]
    store.set({})
    assert store.path.read_text() == after


def test_the_order_is_always_the_same(tmp_path: Path, alice: Operator) -> None:
    places = [Place("b"), Place("a"), Place("a", "y"), Place("z", "x"), Place("b", "x")]
    texts = []
    for order in (places, places[::-1]):
        contents = file.Contents("e", ("k2", "k1")[:: 1 if order is places else -1], {p: str(p) for p in order})
        texts.append(file.text_of(contents))
    assert texts[0] == texts[1]
    (tmp_path / "e.toml").write_text(texts[0])
    assert file.load(tmp_path / "e.toml", "e").sealed == {place: str(place) for place in places}


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.builds(
            Place, st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), st.sampled_from(["", "d", 'a"b', "ä.x"])
        ),
        st.from_regex(r"[A-Za-z0-9+/=\n -]{0,80}", fullmatch=True),
    )
)
def test_every_file_comes_back(tmp_path: Path, sealed: dict[Place, str]) -> None:
    path = tmp_path / "e.toml"
    contents = file.Contents("e", ("k",), sealed)
    path.write_text(file.text_of(contents))
    assert file.load(path, "e") == contents


def test_modes_and_links(store: Vault, tmp_path: Path) -> None:
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o644
    store.path.chmod(0o640)
    store.set({A: Secret("x")})
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o640
    real = tmp_path / "elsewhere.toml"
    store.path.rename(real)
    store.path.symlink_to(real)
    store.set({A: Secret("y")})
    assert store.path.is_symlink() and store.open(A).unmask() == "y"
    assert sorted(path.name for path in store.folder.iterdir()) == ["production.toml", "recipients"]


def test_a_folder_that_cannot_be_written_to(tmp_path: Path, alice: Operator) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SecretsError, match="cannot be written to: "):
        Vault(tmp_path / "file" / "secrets", "production", alice.identities).set({A: Secret("x")})


# --- recipients -------------------------------------------------------------------------------------------------------


def test_nobody_could_open_it(tmp_path: Path, alice: Operator) -> None:
    made = vault(tmp_path / "s", alice)
    (made.folder / "recipients").write_text("# nobody yet\n\n")
    with pytest.raises(SecretsError) as caught:
        made.set({A: Secret(VALUE)})
    sentence(caught, "has no recipient", "recipients inventory/production.py add ~/.ssh/id_ed25519.pub")
    assert not made.path.exists()
    (made.folder / "recipients").unlink()
    with pytest.raises(SecretsError, match="has no recipient"):
        made.set({A: Secret(VALUE)})


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{key}", "line 2: the key has no comment; write whose it is behind it"),
        ("ssh-ed25519 AAAA carol", "line 2: this is no public key"),
        ("hello", "line 2: this is no public key"),
        ("age1xyz carol", "line 2: this is no public key"),
        ("{ecdsa} carol", "line 2: age cannot encrypt for a key of the kind ecdsa-sha2-nistp256"),
        ("sk-ssh-ed25519@openssh.com AAAA carol", "line 2: age cannot encrypt for a key of the kind sk-ssh"),
        ("{first} again", "line 2: the key of again is there already (alice)"),
        ("AGE-SECRET-KEY-1ABC carol", "line 2: this is a private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "line 2: this is a private key"),
    ],
)
def test_wrong_recipients(line: str, says: str, store: Vault, alice: Operator, tmp_path: Path) -> None:
    other = operator(tmp_path / "keys", "bob")
    ecdsa = operator(tmp_path / "keys", "bob", "ecdsa")
    path = store.folder / "recipients"
    path.write_text(f"{alice.line}\n{line.format(key=other.public, ecdsa=ecdsa.public, first=alice.public)}\n")
    before = store.path.read_bytes()
    with pytest.raises(SecretsError) as caught:
        store.set({A: Secret(VALUE)})
    sentence(caught, f"{path}, {says}")
    assert store.path.read_bytes() == before


def test_recipients_come_and_go(store: Vault, alice: Operator, tmp_path: Path) -> None:
    bob = operator(tmp_path / "keys", "bob")
    path = store.folder / "recipients"
    path.write_text(f"# who\n{alice.line}")
    Vault(store.folder, "dev", alice.identities).set({A: Secret("of dev")})
    assert members.add(store, str(bob.path.with_suffix(".pub"))) == (
        Recipient(bob.public, "bob"),
        {"dev": 1, "production": 2},
    )
    assert path.read_text() == f"# who\n{alice.line}\n{bob.line}\n"
    for environment, value in (("production", VALUE), ("dev", "of dev")):
        assert Vault(store.folder, environment, bob.identities).open(A).unmask() == value
    with pytest.raises(SecretsError, match=r"that key is in .* already"):
        members.add(store, bob.line)
    recipient, done = members.remove(store, "bob")
    assert (recipient.comment, done) == ("bob", {"dev": 1, "production": 2})
    assert path.read_text() == f"# who\n{alice.line}\n"
    refused(Vault(store.folder, "production", bob.identities), f"your key {bob.path} is no recipient", "add")
    assert store.open(A).unmask() == VALUE
    for which, says in (("carol", "no recipient is 'carol'"), ("alice", "alice is the last recipient")):
        with pytest.raises(SecretsError, match=says):
            members.remove(store, which)
    assert path.read_text() == f"# who\n{alice.line}\n"


@pytest.mark.parametrize("key", ["nosuch.pub", "", "age1qqqq carol", "ssh-ed25519 AAAA"])
def test_somebody_who_cannot_be_added(key: str, store: Vault) -> None:
    before = [path.read_bytes() for path in sorted(store.folder.iterdir())]
    with pytest.raises(SecretsError):
        members.add(store, key)
    assert [path.read_bytes() for path in sorted(store.folder.iterdir())] == before


def test_nothing_is_half_done_when_one_secret_does_not_open(store: Vault, alice: Operator, tmp_path: Path) -> None:
    bob = operator(tmp_path / "keys", "bob")
    dev = Vault(store.folder, "dev", alice.identities)
    dev.set({A: Secret("x")})
    put(store, B.name, raw(store, B.name)[:100])
    before = {path: path.read_bytes() for path in store.folder.iterdir()}
    for change in (lambda: members.add(store, bob.line), lambda: members.sync(dev)):
        with pytest.raises(SecretsError, match=f"the secret {B} in .* is damaged"):
            change()
    assert {path: path.read_bytes() for path in store.folder.iterdir()} == before


def test_a_list_that_was_changed_by_hand(store: Vault, alice: Operator, tmp_path: Path) -> None:
    bob = operator(tmp_path / "keys", "bob")
    (store.folder / "recipients").write_text(f"{alice.line}\n{bob.line}\n")
    assert not store.in_step()
    before = store.path.read_bytes()
    with pytest.raises(SecretsError) as caught:
        store.set({A: Secret(VALUE)})
    sentence(caught, "do not agree on who can open the secrets", "sync")
    assert store.path.read_bytes() == before
    refused(Vault(store.folder, "production", bob.identities), f"your key {bob.path} is no recipient")
    assert members.sync(store) == {"production": 2}
    assert store.in_step() and Vault(store.folder, "production", bob.identities).open(A).unmask() == VALUE


def test_one_secret_that_was_not_encrypted_for_somebody(store: Vault, alice: Operator, tmp_path: Path) -> None:
    """The file says that it is, as after a bad merge."""
    bob = operator(tmp_path / "keys", "bob")
    old = raw(store, A.name)
    members.add(store, bob.line)
    put(store, A.name, old)
    seen = Vault(store.folder, "production", bob.identities)
    refused(seen, f"the secret {A} in {store.path} is not encrypted for your key, or damaged", "sync")
    assert seen.open(B).unmask() == "another"


def test_an_environment_with_recipients_of_its_own(store: Vault, alice: Operator, tmp_path: Path) -> None:
    bob = operator(tmp_path / "keys", "bob")
    (store.folder / "recipients.dev").write_text(f"{bob.line}\n")
    dev = Vault(store.folder, "dev", bob.identities)
    dev.set({A: Secret("of dev")})
    assert dev.open(A).unmask() == "of dev"
    refused(Vault(store.folder, "dev", alice.identities), "is no recipient")
    assert members.sync(store) == {"production": 2}  # dev's are not touched: alice could not
    assert [recipient.comment for recipient in dev.recipients()] == ["bob"]


# --- private keys -----------------------------------------------------------------------------------------------------


def answers(monkeypatch: pytest.MonkeyPatch, *given: str) -> list[str]:
    """Answer questions at a terminal; return the questions, as they come."""
    asked: list[str] = []
    waiting = list(given)

    def hidden(prompt: str) -> Secret:
        asked.append(prompt)
        return Secret(waiting.pop(0))

    monkeypatch.setattr(terminal, "there", lambda: True)
    monkeypatch.setattr(terminal, "hidden", hidden)
    return asked


@pytest.mark.parametrize(("kind", "form"), [("ed25519", ""), ("rsa", ""), ("rsa", "pem")])
def test_a_locked_key_is_unlocked_once(kind: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = operator(tmp_path / "keys", "locked", kind, PASSPHRASE, form)
    made = vault(tmp_path / "s", one)
    made.set({A: Secret(VALUE), B: Secret("another")})  # asks for nothing
    asked = answers(monkeypatch, PASSPHRASE)
    assert made.open(A).unmask() == VALUE
    again = Vault(made.folder, "production", Identities(one.path))
    assert again.open(B).unmask() == "another"
    assert asked == [f"Passphrase of {one.path}"]


@pytest.mark.parametrize(("kind", "form"), [("ed25519", ""), ("rsa", ""), ("rsa", "pem")])
def test_a_wrong_passphrase(kind: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    one = operator(tmp_path / "keys", "locked", kind, PASSPHRASE, form)
    made = vault(tmp_path / "s", one)
    made.set({A: Secret(VALUE)})
    refused(made, f"the key {one.path} has a passphrase, and there is no terminal", "CKAN_DEPLOY_IDENTITY")
    asked = answers(monkeypatch, "wrong", "wr0ng", "wröng", PASSPHRASE)
    refused(made, f"the passphrase of {one.path} was wrong 3 times")
    assert len(asked) == 3
    assert capsys.readouterr().err.count("is wrong; once more") == 2
    asked = answers(monkeypatch, "wrong", PASSPHRASE)
    assert made.open(A).unmask() == VALUE


def test_no_passphrase_is_asked_for_a_key_that_would_not_help(store: Vault, tmp_path: Path, monkeypatch: Any) -> None:
    stranger = operator(tmp_path / "keys", "stranger", passphrase=PASSPHRASE)
    asked = answers(monkeypatch)
    refused(Vault(store.folder, "production", stranger.identities), f"your key {stranger.path} is no recipient")
    assert asked == []


def test_a_wrong_identity(store: Vault, tmp_path: Path) -> None:
    for kind in ("ed25519", "rsa", "age"):
        stranger = operator(tmp_path / "keys", "stranger", kind)
        said = refused(
            Vault(store.folder, "production", stranger.identities), f"{store.path} cannot be opened: your key"
        )
        assert (
            "somebody who is runs `python -m settings.secrets recipients inventory/production.py add YOUR-KEY.pub`"
            in said
        )


def test_keys_that_cannot_be_used(store: Vault, alice: Operator, tmp_path: Path) -> None:
    def with_key(path: Path) -> Vault:
        return Vault(store.folder, "production", Identities(path))

    refused(with_key(tmp_path / "none"), f"the key {tmp_path}/none cannot be read: No such file or directory")
    refused(with_key(tmp_path), f"the key {tmp_path} cannot be read: Is a directory")
    refused(with_key(alice.path.with_suffix(".pub")), "is a public key", "an SSH agent cannot")
    for mode in (0o644, 0o640, 0o604, 0o602):
        alice.path.chmod(mode)
        refused(store, f"the key {alice.path} is accessible to others: chmod 600 {alice.path}")
    alice.path.chmod(0o600)
    whole = alice.path.read_bytes()
    for text, says in (
        (b"hello", "is no private key"),
        (b"", "is no private key"),
        (whole.replace(b"b3BlbnNzaC", b"AAAAbnNzaC"), "is damaged"),
        (whole[:100] + b"\n-----END OPENSSH PRIVATE KEY-----\n", "is damaged"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", "is itself encrypted by age"),
        (b"AGE-SECRET-KEY-1QQQ\n", "is damaged, or of a kind"),
        (b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n", "is damaged"),
    ):
        alice.path.write_bytes(text)
        refused(store, str(alice.path), says)
    refused(with_key(operator(tmp_path / "keys", "bob", "ecdsa").path), "a key of the kind ecdsa-sha2-nistp256")


def home_key(tmp_path: Path, name: str, one: Operator) -> Path:
    path = tmp_path / "home" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(one.path, path)
    return path


def test_where_keys_are_looked_for(store: Vault, alice: Operator, tmp_path: Path, monkeypatch: Any) -> None:
    anybody = Vault(store.folder, "production")
    said = refused(anybody, "no private key is there to open the secrets with: none of ", "/home/.ssh/id_ed25519, ")
    assert "agent" not in said
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    refused(anybody, "an SSH agent was found, but an agent can only sign, not decrypt")
    stranger = home_key(tmp_path, ".ssh/id_ed25519", operator(tmp_path / "keys", "stranger"))
    refused(anybody, f"your key {stranger} is no recipient")
    stranger.chmod(0o644)
    refused(anybody, f"the key {stranger} is accessible to others")
    home_key(tmp_path, ".config/ckan-deploy/age-key.txt", alice)  # the one that helps is enough
    assert anybody.open(A).unmask() == VALUE
    shutil.rmtree(tmp_path / "home")
    monkeypatch.setenv("CKAN_DEPLOY_IDENTITY", str(alice.path))
    assert anybody.open(A).unmask() == VALUE
    monkeypatch.setenv("CKAN_DEPLOY_IDENTITY", str(tmp_path / "none"))
    refused(anybody, f"the key {tmp_path}/none cannot be read")
    assert store.open(A).unmask() == VALUE  # one that is named wins


def test_a_file_of_several_age_keys(tmp_path: Path) -> None:
    one, other = operator(tmp_path, "a", "age"), operator(tmp_path, "b", "age")
    one.path.write_text(other.path.read_text() + one.path.read_text())
    assert keyfile.read(one.path).publics == (other.public, one.public)
    made = vault(tmp_path / "s", one)
    made.set({A: Secret(VALUE)})
    assert made.open(A).unmask() == VALUE


# --- made by chance, and edited ---------------------------------------------------------------------------------------


@given(st.integers(1, 90), st.sampled_from(["abc", "ab-_", "-_", "0123456789abcdef"]))
def test_made_secrets(length: int, alphabet: str) -> None:
    value = made.random(SecretSpec("x", "", "", True, length, alphabet)).unmask()
    assert len(value) == length and set(value) <= set(alphabet)
    if alphabet != "-_":
        assert value[0].isalnum() and value[-1].isalnum()


def test_made_secrets_differ() -> None:
    spec = spec_of(NAME)
    assert len({made.random(spec).unmask() for _ in range(100)}) == 100
    assert spec.length >= 43


@given(
    st.dictionaries(
        st.builds(Place, st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), st.sampled_from(["", "data", "x.org"])),
        st.one_of(TEXTS, st.lists(st.one_of(TEXTS, st.just(""), st.just("  x ")), min_size=2).map("\n".join)).filter(
            lambda text: not wrong_value(text, multiline=True)
        ),
    )
)
@example({Place("a"): "1\n\n2\n  3\n# 4\n[5]\nb = 6", Place("b"): "1", Place("c", "data"): "1\n2"})
def test_an_edited_text_comes_back(values: dict[Place, str]) -> None:
    text = editor.text_of("production", {place: Secret(value) for place, value in values.items()})
    parsed = editor.parse(text, _wrong)
    assert {place: secret.unmask() for place, secret in parsed.items()} == values


def _wrong(place: Place, value: Secret) -> str:
    return wrong_value(value.unmask(), multiline=True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x", "line 2 is not NAME = VALUE"),
        ("x = ", "line 2: the value of x cannot be used: it is empty"),
        ("a = 1\na = 2", "line 3: a stands there twice"),
        ("X = 1", "line 2 is not NAME = VALUE"),
        (f"postgresql_password: {VALUE}", "line 2 is not NAME = VALUE"),
        (f"a = \x00{VALUE}", "line 2: the value of a cannot be used"),
        ("a = 1\n    2", "line 3 is not NAME = VALUE"),
        ("a =\n  1", "line 2: the value of a cannot be used: it is empty"),
        ("a =\n    1\n   2", "line 4 is not NAME = VALUE"),
    ],
)
def test_an_edited_text_that_is_wrong(text: str, says: str) -> None:
    with pytest.raises(SecretsError) as caught:
        editor.parse(Secret(f"# comment\n{text}"), _wrong)
    sentence(caught, says)
