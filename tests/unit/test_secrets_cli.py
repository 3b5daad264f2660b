"""``python -m settings.secrets`` as a program, at a terminal and without one; what others see; what a run asks."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from settings.secret import Secret
from settings.secrets.sealed import Place
from settings.secrets.vault import Vault
from tests.unit import programs
from tests.unit.keys import PASSPHRASE, ROOT, Operator, converse, environment, operator, program
from tests.unit.witness import Started, programs_of

INVENTORY = "inventory/production.py"
VALUE, OTHER = "s3cret-%w0rd", "an0ther-%w0rd"
PROGRAM = "settings.secrets"


class Desk:
    """A checkout, and somebody's home; ``run`` is the program without a terminal, ``type`` at one.

    + memory: a folder in memory, for XDG_RUNTIME_DIR
    + executed: not by the fork server, for tests that look at it in /proc
    """

    def __init__(self, folder: Path, alice: Operator, memory: str) -> None:
        self.alice, self.executed = alice, False
        self.checkout, self.home = folder / "checkout", folder / "home"
        for name in ("group_data", "inventory", "locks", "pyinfra_adapter", "settings"):
            shutil.copytree(ROOT / name, self.checkout / name, ignore=shutil.ignore_patterns("__pycache__", "lab.py"))
        shutil.copy(ROOT / "config.py", self.checkout)
        self.home.mkdir()
        (self.home / "run").symlink_to(memory)
        self.env = environment(self.home)
        self.folder = self.checkout / "inventory/secrets"

    def has_key(self, one: Operator) -> None:
        """Put a key where SSH has it."""
        (self.home / ".ssh").mkdir(exist_ok=True)
        for suffix in ("", ".pub"):
            shutil.copy(one.path.with_suffix(suffix), self.home / ".ssh" / f"id_ed25519{suffix}")

    def run(self, verb: str, *arguments: str, text: str = "", inventory: str = INVENTORY) -> tuple[int, str, str]:
        words = (PROGRAM, verb, inventory, *arguments)
        done = program(*words, cwd=self.checkout, env=self.env, text=text, executed=self.executed)
        assert "Traceback" not in done.stderr, done.stderr
        return done.returncode, done.stdout, done.stderr

    def ok(self, verb: str, *arguments: str, text: str = "") -> tuple[str, str]:
        status, out, err = self.run(verb, *arguments, text=text)
        assert status == 0, err
        return out, err

    def refused(self, verb: str, *arguments: str, text: str = "", inventory: str = INVENTORY) -> str:
        """Run what must end with one sentence and status 1, and change nothing; return the sentence."""
        before = self.files()
        status, out, err = self.run(verb, *arguments, text=text, inventory=inventory)
        assert (status, out) == (1, ""), err
        assert err.startswith("Error: ") and err.count("\n") == 1, err
        assert self.files() == before
        return err

    def type(self, verb: str, *arguments: str, answers: list[tuple[str, str]], editor: str = "") -> tuple[int, str]:
        env = {**self.env, **({"EDITOR": editor} if editor else {})}
        return converse([PROGRAM, verb, INVENTORY, *arguments], answers, cwd=self.checkout, env=env)

    def value(self, name: str) -> str:
        """Return a secret, as its first recipient opens it."""
        return Vault(self.folder, "production", self.alice.identities).open(Place(name)).unmask()

    def files(self) -> dict[str, bytes]:
        """What is in the store's folder, which others read in the repository."""
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}

    def leaves_nothing(self) -> None:
        """Assert that no temporary file is left, and that none of the store's shows a value."""
        assert list((self.home / "run").iterdir()) == []
        assert set(self.files()) <= {"recipients", "production.toml"}
        for text in self.files().values():
            assert VALUE.encode() not in text and OTHER.encode() not in text


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as memory:
        made = Desk(tmp_path, operator(tmp_path / "keys"), memory)
        made.has_key(made.alice)
        yield made


@pytest.fixture
def ready(desk: Desk) -> Desk:
    (desk.folder / "recipients").write_text(f"{desk.alice.line}\n")
    Vault(desk.folder, "production").set({Place("ckan_smtp_password"): Secret(VALUE)})
    return desk


def test_the_whole_way(desk: Desk) -> None:
    said = desk.refused("generate")
    assert "has no recipient; `python -m settings.secrets recipients inventory/production.py add" in said
    desk.ok("recipients", "add", "~/.ssh/id_ed25519.pub")
    assert (desk.folder / "recipients").read_text().startswith((ROOT / "inventory/secrets/recipients").read_text())
    with (desk.checkout / "group_data/production.py").open("a") as file:
        file.write('ckan_smtp_user = "portal"\n')
    out, _ = desk.ok("list")
    assert [line.split()[0] for line in out.splitlines()] == [
        "ckan_secret_key",
        "ckan_smtp_password",
        "ckan_sysadmin_password",
        "postgresql_password",
        "redis_password",
    ]
    assert out.count("missing in inventory/secrets/production.toml: ") == 5
    out, err = desk.ok("generate")
    made = "ckan_secret_key, ckan_sysadmin_password, postgresql_password, redis_password"
    assert f"Made, in inventory/secrets/production.toml: {made}." in err
    assert "To be given by a person: the secret ckan_smtp_password is missing" in err
    assert "set inventory/production.py ckan_smtp_password`" in err and out == ""
    assert "Added ckan_smtp_password" in desk.ok("set", "ckan_smtp_password", text=VALUE)[1]
    desk.ok("set", "ckan_api_token_secret", text=VALUE)
    before = desk.files()
    assert desk.ok("generate")[1] == "No secret is missing.\n"
    assert desk.files() == before
    out, err = desk.ok("list")
    assert sorted(line.split("  ")[-1].strip() for line in out.splitlines()) == ["there"] * 5 + [
        "there, but nothing needs it"
    ]
    assert err == "" and VALUE not in out
    assert desk.ok("get", "ckan_smtp_password") == (f"{VALUE}\n", "")
    made = desk.ok("get", "ckan_secret_key")[0].strip()
    assert len(made) == 43
    desk.leaves_nothing()


def test_values_at_a_terminal(ready: Desk) -> None:
    again = [("Value of ckan_smtp_password: ", OTHER), ("The same again: ", OTHER)]
    status, said = ready.type("set", "ckan_smtp_password", answers=again)
    assert status == 0 and "Replaced ckan_smtp_password" in said and OTHER not in said
    assert ready.value("ckan_smtp_password") == OTHER
    before = ready.files()
    different = [("Value of ckan_smtp_password: ", VALUE), ("The same again: ", "x")]
    status, said = ready.type("set", "ckan_smtp_password", answers=different)
    assert status == 1 and "the two values differ; nothing was changed" in said and VALUE not in said
    status, said = ready.type("set", "ckan_smtp_password", answers=[("Value of", "\x03")])
    assert status == 1 and "Traceback" not in said
    status, said = ready.type("set", "ckan_smtp_password", answers=[("Value of", "\x04")])
    assert status == 1 and "Traceback" not in said
    assert ready.files() == before
    ready.leaves_nothing()


def test_no_value_on_the_command_line(ready: Desk) -> None:
    for arguments in (("set", "ckan_smtp_password", VALUE), ("set", "ckan_smtp_password", VALUE, "--host", "data")):
        said = ready.refused(*arguments)
        assert "does not belong on the command line" in said and VALUE not in said


@pytest.mark.parametrize(
    ("arguments", "text", "says"),
    [
        (("set", "ckan_smtp_pasword"), VALUE, "there is no secret ckan_smtp_pasword; did you mean ckan_smtp_password?"),
        (("set", "zzz"), VALUE, "there is no secret zzz; there are ckan_api_token_secret, "),
        (("set", "ckan_smtp_password", "--host", "dta"), VALUE, "there is no host dta; did you mean data?"),
        (("set", "ckan_smtp_password"), "", "cannot be used: it is empty; nothing was changed"),
        (("set", "ckan_smtp_password"), f"{VALUE}\nx", "it must be one line"),
        (("set", "ckan_smtp_password"), f" {VALUE}", "begins or ends with a blank"),
        (("get", "zzz"), "", "there is no secret zzz"),
        (("get", "redis_password"), "", "the secret redis_password is not in "),
        (("rotate", "redis_password"), "", "there is no redis_password to rotate yet"),
        (("rotate", "zzz"), "", "there is no secret zzz"),
        (("get", "ckan_smtp_password", "--identity", "nosuch"), "", "the key nosuch cannot be read: No such file"),
        (("recipients", "remove", "bob"), "", "no recipient is 'bob'"),
        (("recipients", "add", "nosuch.pub"), "", "the public key nosuch.pub cannot be read"),
    ],
)
def test_mistakes(arguments: tuple[str, ...], text: str, says: str, ready: Desk) -> None:
    said = ready.refused(*arguments, text=text)
    assert says in said and VALUE not in said


def test_a_mistyped_inventory(ready: Desk) -> None:
    said = ready.refused("list", inventory="inventory/prodution.py")
    assert "there is no inventory inventory/prodution.py; there are inventory/dev.py, inventory/production.py" in said


def test_a_folder_of_secrets_that_is_none(ready: Desk) -> None:
    """Nothing is written to the folder that would have been the default."""
    with (ready.checkout / "group_data/production.py").open("a") as file:
        file.write("\nsecrets_folder = 7\n")
    for verb, *names in (("generate",), ("rotate", "postgresql_password"), ("set", "redis_password"), ("list",)):
        says = ready.refused(verb, *names, text=VALUE)
        assert "secrets_folder is wrong" in says and "-m settings inventory/production.py` says where" in says


def test_secrets_of_a_host(ready: Desk) -> None:
    ready.ok("set", "ckan_smtp_password", "--host", "data", text=OTHER)
    assert ready.ok("get", "ckan_smtp_password", "--host", "data")[0] == f"{OTHER}\n"
    assert ready.ok("get", "ckan_smtp_password", "--host", "search")[0] == f"{VALUE}\n"
    assert ["ckan_smtp_password", "data"] in [line.split()[:2] for line in ready.ok("list")[0].splitlines()]


KEY = "-----BEGIN KEY-----\nabc/+==\n\n  indented \n-----END KEY-----"
FORMER = KEY.replace("abc", "xyz")


@pytest.fixture
def several(ready: Desk) -> Desk:
    """A checkout in which redis_password says that it has several lines."""
    path = ready.checkout / "settings/redis.py"
    path.write_text(path.read_text().replace("    rotation=", "    multiline=True, generated=False, rotation="))
    assert "multiline" in path.read_text()
    return ready


def test_a_secret_of_several_lines(several: Desk) -> None:
    said = several.ok("set", "redis_password", text=f"\n{FORMER}\n".replace("\n", "\r\n"))
    assert "Added redis_password" in said[1]
    assert several.ok("get", "redis_password")[0] == f"{FORMER}\n"
    assert "Replaced redis_password" in several.ok("rotate", "redis_password", text=f"{KEY}\n")[1]
    assert several.ok("get", "redis_password")[0] == f"{KEY}\n"
    several.ok("set", "redis_password", "--host", "data", text=FORMER)
    for verb in ("set", "rotate"):
        status, shown = several.type(verb, "redis_password", "--host", "data", answers=[])
        command = f"`python -m settings.secrets {verb} {INVENTORY} redis_password --host data < FILE`"
        assert status == 1 and f"has several lines, which a prompt does not take: {command}; nothing" in shown
    for text in ("\n\n", f"{KEY}\x00", "a\n\x1b[2Jb"):
        assert "cannot be used: it" in several.refused("set", "redis_password", text=text)


def test_all_other_secrets_have_one_line(several: Desk) -> None:
    for verb in ("set", "rotate"):
        assert "it must be one line" in several.refused(verb, "ckan_smtp_password", text=KEY)
    editor(several, "printf 'postgresql_password =\\n    aaaaaa\\n    port = 1\\n' >> \"$1\"")
    assert "the value of postgresql_password cannot be used: it must be one line" in several.refused("edit")


def test_a_secret_of_several_lines_is_edited(several: Desk) -> None:
    several.ok("set", "redis_password", text=FORMER)
    log = editor(several, "sed -i 's/^    xyz/    abc/' \"$1\"")
    assert several.ok("edit")[1] == "Replaced redis_password in inventory/secrets/production.toml.\n"
    text = log.with_suffix(".text").read_text()
    assert "redis_password =\n    -----BEGIN KEY-----\n    xyz/+==\n\n      indented \n    -----END" in text
    assert several.ok("get", "redis_password")[0] == f"{KEY}\n"
    assert several.ok("edit")[1] == "Nothing was changed.\n"
    several.leaves_nothing()


def test_rotation(ready: Desk) -> None:
    ready.ok("generate")
    old = {name: ready.value(name) for name in ("ckan_secret_key", "postgresql_password")}
    out, said = ready.ok("rotate", "ckan_secret_key", "postgresql_password")
    for name, value in old.items():
        new = ready.value(name)
        assert new != value and new not in said + out and f"Replaced {name}" in said
    assert "all API tokens are void" in said and "gives the role its new password" in said
    assert "pyinfra inventory/production.py deploy.py --dry --diff" in said
    asked = [("Value of ckan_smtp_password, the new one: ", OTHER), ("The same again: ", OTHER)]
    status, said = ready.type("rotate", "ckan_smtp_password", answers=asked)
    assert status == 0 and "mail server" in said and OTHER not in said
    assert ready.value("ckan_smtp_password") == OTHER


def test_commands_are_said_as_they_are_called(desk: Desk) -> None:
    """By its path where the environment is not activated: from the checkout, as the README has it."""
    desk.env["PATH"] = "/usr/bin:/bin"
    assert f"`{sys.executable} -m settings.secrets recipients" in desk.refused("generate")
    (desk.checkout / ".venv").symlink_to(Path(sys.executable).parent.parent)
    command = [str(desk.checkout / ".venv/bin/python"), "-m", PROGRAM, "generate", INVENTORY]
    done = subprocess.run(command, cwd=desk.checkout, env=desk.env, capture_output=True, text=True, timeout=60)
    assert f"`.venv/bin/python -m {PROGRAM} recipients {INVENTORY} add ~/.ssh/id_ed25519.pub` adds you" in done.stderr


def test_a_locked_key(ready: Desk, tmp_path: Path) -> None:
    bob = operator(tmp_path / "keys", "bob", passphrase=PASSPHRASE)
    ready.ok("recipients", "add", bob.line)
    ready.has_key(bob)
    assert "has a passphrase, and there is no terminal" in ready.refused("get", "ckan_smtp_password")
    ready.env["SSH_AUTH_SOCK"] = "/nowhere/agent"
    assert "an agent can only sign, not decrypt" in ready.refused("get", "ckan_smtp_password")
    del ready.env["SSH_AUTH_SOCK"]
    prompt = f"Passphrase of {ready.home}/.ssh/id_ed25519: "
    status, said = ready.type("get", "ckan_smtp_password", answers=[(prompt, "wrong"), ("once more", PASSPHRASE)])
    assert status == 0 and VALUE in said and PASSPHRASE not in said and "wrong" in said
    wrong = [(prompt, "a"), ("once more", "b"), ("once more", "c")]
    status, said = ready.type("get", "ckan_smtp_password", answers=wrong)
    assert status == 1 and "was wrong 3 times, or the file is damaged" in said and "Traceback" not in said
    assert "postgresql_password" in ready.ok("list")[0]  # needs no key
    ready.ok("set", "ckan_smtp_password", text=OTHER)  # nor does this


def test_recipients(ready: Desk, tmp_path: Path) -> None:
    bob = operator(tmp_path / "keys", "bob", "age")
    assert (
        "Encrypted anew for those in inventory/secrets/recipients: 1 secrets of production."
        in ready.ok("recipients", "add", bob.line)[1]
    )
    assert [line.split()[-1] for line in ready.ok("recipients", "list")[0].splitlines()] == ["alice", "bob"]
    assert ready.ok("get", "ckan_smtp_password", "--identity", str(bob.path))[0] == f"{VALUE}\n"
    said = ready.ok("recipients", "remove", "bob")[1]
    assert "bob may still know the old values, and git's history opens with that key: rotate" in said
    assert "is no recipient" in ready.refused("get", "ckan_smtp_password", "--identity", str(bob.path))
    with (ready.folder / "recipients").open("a") as file:
        file.write(f"{bob.line}\n")
    assert f"`python -m settings.secrets recipients {INVENTORY} sync`" in ready.ok("list")[1]
    assert "do not agree" in ready.refused("set", "redis_password", text=VALUE)
    status, said = ready.type("rotate", "ckan_smtp_password", answers=[])  # before the new value is asked for
    assert status == 1 and "do not agree" in said and "Value of" not in said
    ready.ok("recipients", "sync")
    ready.env["CKAN_DEPLOY_IDENTITY"] = str(bob.path)
    assert ready.value("ckan_smtp_password") == VALUE
    status, _, err = ready.run("recipients", "add")
    assert status == 2 and "takes a key" in err


# --- the editor -------------------------------------------------------------------------------------------------------

EDITOR = """#!/bin/sh
exec 2>&1
{{ stat -c '%a' "$1" "${{1%/*}}"; df --output=fstype "$1" | tail -1; tr '\\0' ' ' < /proc/$PPID/cmdline; echo "$@"
   tr '\\0' '\\n' < /proc/$PPID/environ; cp "$1" {log}.text; }} > {log}
{then}
"""


def editor(desk: Desk, then: str) -> Path:
    """Write an editor that notes what others could see, and edits."""
    path = desk.home / "editor"
    path.write_text(EDITOR.format(log=desk.home / "log", then=then))
    path.chmod(0o755)
    desk.env["EDITOR"] = str(path)
    return desk.home / "log"


def test_edit(ready: Desk) -> None:
    ready.ok("generate")
    ready.executed = True
    before = ready.value("postgresql_password")
    log = editor(
        ready,
        f"sed -i -e 's/^ckan_smtp_password = .*/ckan_smtp_password = {OTHER}/' -e '/^ckan_secret_key/d' \"$1\"\n"
        'printf \'[data]\\nredis_password = xxxxxx\\n\' >> "$1"; echo backup > "$1~"',
    )
    out, said = ready.ok("edit")
    assert said.splitlines() == [
        "Replaced ckan_smtp_password in inventory/secrets/production.toml.",
        "Added redis_password of host data in inventory/secrets/production.toml.",
        "Removed ckan_secret_key from inventory/secrets/production.toml.",
    ]
    assert ready.value("ckan_smtp_password") == OTHER and out == ""
    assert ready.value("postgresql_password") == before
    noted = log.read_text()
    assert f"-m {PROGRAM} edit {INVENTORY}" in noted and f"HOME={ready.home}\n" in noted  # it looked
    assert noted.splitlines()[:3] == ["600", "700", "tmpfs"]
    assert VALUE not in noted and f"ckan_smtp_password = {VALUE}\n" in log.with_suffix(".text").read_text()
    ready.leaves_nothing()
    files = ready.files()
    editor(ready, "")
    assert ready.ok("edit")[1] == "Nothing was changed.\n"
    assert ready.files() == files


def test_no_disk_sees_what_is_edited(ready: Desk, tmp_path: Path) -> None:
    """Without a session XDG_RUNTIME_DIR may name any folder, as some containers have it."""
    ready.env["XDG_RUNTIME_DIR"] = str(tmp_path)
    log = editor(ready, "")
    ready.ok("edit")
    assert log.read_text().splitlines()[2] == "tmpfs"


@pytest.mark.parametrize(
    ("then", "says"),
    [
        ("exit 3", "ended with status 3"),
        ('echo oops >> "$1"', "line 5 is not NAME = VALUE"),
        ("echo 'zzz = 1' >> \"$1\"", "there is no secret zzz"),
        ("printf '[dta]\\nredis_password = x\\n' >> \"$1\"", "there is no host dta; did you mean data?"),
        ("echo 'redis_password = ' >> \"$1\"", "line 5: the value of redis_password cannot be used: it is empty"),
        ("echo 'redis_password = short' >> \"$1\"", "cannot be used: it must have at least 6 characters"),
        ("echo 'postgresql_password = a%aaaaaaa' >> \"$1\"", "postgresql_password cannot be used: it must be of "),
        ('rm "$1"', "failed: No such file or directory"),
        ("printf '\\377' > \"$1\"", "failed: it left no text"),
        ("kill -9 $$", "ended with status -9"),
    ],
)
def test_an_edit_that_fails(then: str, says: str, ready: Desk) -> None:
    editor(ready, then)
    said = ready.refused("edit")
    assert says in said and "nothing was changed" in said and VALUE not in said
    ready.leaves_nothing()


@pytest.mark.parametrize(
    ("command", "says"), [("vi '", "is no command that can be run, vi ': No closing"), ("/no", "/no f")]
)
def test_an_editor_that_cannot_be_run(command: str, says: str, ready: Desk) -> None:
    ready.env["EDITOR"] = command
    assert says in ready.refused("edit")
    ready.leaves_nothing()


def test_an_edit_that_failed_goes_on_at_a_terminal(ready: Desk) -> None:
    editor(ready, f'grep -q oops "$1" && sed -i -e /oops/d -e \'s/= .*/= {OTHER}/\' "$1" || echo oops >> "$1"')
    status, said = ready.type("edit", answers=[("Edit again? [Y/n]", "y")], editor=ready.env["EDITOR"])
    assert status == 0 and "line 5 is not NAME = VALUE" in said
    assert ready.value("ckan_smtp_password") == OTHER
    editor(ready, 'echo oops >> "$1"')
    status, said = ready.type("edit", answers=[("Edit again? [Y/n]", "n")], editor=ready.env["EDITOR"])
    assert status == 1 and "nothing was changed" in said
    ready.leaves_nothing()


def test_what_somebody_else_changed_meanwhile_is_not_lost(ready: Desk) -> None:
    other = f"printf %s theirs | {sys.executable} -m {PROGRAM} set {INVENTORY}"
    editor(ready, f"sed -i 's/= .*/= {OTHER}/' \"$1\"; {other} ckan_smtp_password")
    status, _, said = ready.run("edit")
    assert status == 1 and "was changed by somebody else meanwhile; nothing of yours was kept" in said
    assert ready.value("ckan_smtp_password") == "theirs"
    editor(ready, f"sed -i 's/= .*/= {OTHER}/' \"$1\"; {other} redis_password")
    ready.ok("edit")
    assert [ready.value(name) for name in ("ckan_smtp_password", "redis_password")] == [OTHER, "theirs"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGINT, signal.SIGKILL])
def test_an_ended_edit_leaves_nothing(number: signal.Signals, ready: Desk) -> None:
    editor(ready, "echo $$ > $HOME/pid; exec sleep 30")
    before = ready.files()
    with open(os.devnull, "r+") as nothing:  # noqa: PTH123
        one = nothing.fileno()
        command = ["-m", PROGRAM, "edit", INVENTORY]
        editing = programs.start(command, cwd=ready.checkout, env=ready.env, stdin=one, stdout=one, stderr=one)
    pid = ready.home / "pid"
    _until(lambda: pid.exists() and pid.read_text().endswith("\n"))
    assert list((ready.home / "run").iterdir())
    if number == signal.SIGINT:  # the editor's business; ends it here
        editing.send_signal(number)
        time.sleep(0.3)
        assert editing.poll() is None
        os.kill(int(pid.read_text()), signal.SIGTERM)
    else:
        editing.send_signal(number)
    assert editing.wait(timeout=120) != 0
    _until(lambda: not list((ready.home / "run").iterdir()))
    if number != signal.SIGINT:
        os.kill(int(pid.read_text()), signal.SIGTERM)
    assert ready.files() == before


def _until(done: object) -> None:
    end = time.monotonic() + 120
    while not done():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.05)


# --- what others can see ----------------------------------------------------------------------------------------------


def watched(desk: Desk, verb: str, *arguments: str, text: str = "") -> list[Started]:
    """Run the program, executed; return it and all that it starts, as other users of the machine could see them."""
    command = [sys.executable, "-m", PROGRAM, verb, INVENTORY, *arguments]
    done, seen = programs_of(command, cwd=desk.checkout, env=desk.env, text=text)
    assert done.returncode == 0, done.stderr
    assert seen[0].words == command and f"HOME={desk.home}" in seen[0].environment
    return seen


def test_no_program_shows_a_value(ready: Desk, tmp_path: Path) -> None:
    """Neither in its command line nor in its environment, from its start to its end, nor do its children."""
    ready.ok("generate")
    bob = operator(tmp_path / "keys", "bob")
    (ready.home / "edited").write_text(f"ckan_smtp_password = {OTHER}\nredis_password = {VALUE}-2\n")
    seen = [
        *watched(ready, "set", "ckan_smtp_password", text=VALUE),
        *watched(ready, "set", "redis_password", "--host", "data", text=OTHER),
        *watched(ready, "rotate", "ckan_smtp_password", text=OTHER),
        *watched(ready, "rotate", "postgresql_password"),
        *watched(ready, "get", "ckan_smtp_password"),
        *watched(ready, "list"),
        *watched(ready, "recipients", "add", bob.line),
        *watched(ready, "recipients", "remove", "bob"),
    ]
    made = [ready.value(name) for name in ("ckan_secret_key", "postgresql_password", "ckan_sysadmin_password")]
    editor(ready, 'cat "$1" > $HOME/shown; cp $HOME/edited "$1"')
    edit = watched(ready, "edit")
    assert any(str(ready.home / "editor") in one.words for one in edit)
    assert any(one.words[0] == "cp" for one in edit)
    assert all(f" = {value}\n" in (ready.home / "shown").read_text() for value in (*made, OTHER))
    seen += [*edit, *watched(ready, "generate")]
    made += [ready.value(name) for name in ("ckan_secret_key", "postgresql_password", "ckan_sysadmin_password")]
    assert len(set(made)) == 6
    for value in (VALUE, OTHER, *made):
        assert not [one.words for one in seen if value in one.shown]


@pytest.mark.parametrize(
    "shows", ['/bin/true "$(cat "$1")"', 'SHOWN="$(cat "$1")" /bin/true', "(/bin/true $(cat $1)) & wait"]
)
def test_a_program_that_shows_a_value_is_found(shows: str, ready: Desk) -> None:
    """However short it lives: else the test above could not fail."""
    editor(ready, shows)
    assert [one.words[0] for one in watched(ready, "edit") if VALUE in one.shown] == ["/bin/true"]


def test_only_get_prints_a_value(ready: Desk, tmp_path: Path) -> None:
    ready.ok("generate")
    editor(ready, "")
    bob = operator(tmp_path / "keys", "bob")
    for arguments in (["list"], ["generate"], ["edit"], ["recipients", "sync"], ["rotate", "ckan_secret_key"],
                      ["recipients", "add", bob.line], ["recipients", "remove", "bob"]):  # fmt: skip
        values = [ready.value(name) for name in ("ckan_secret_key", "postgresql_password", "ckan_smtp_password")]
        shown = "".join(ready.ok(*arguments))
        assert not [value for value in values if value in shown]


def test_help_names_every_command(desk: Desk) -> None:
    done = program(PROGRAM, "--help", cwd=desk.checkout, env=desk.env)
    for name in ("set", "get", "edit", "generate", "list", "rotate", "recipients"):
        assert f"  {name} " in done.stdout


# --- a run ------------------------------------------------------------------------------------------------------------

DEPLOY = """\
from pyinfra import host
from settings.resolve import of_inventory
settings = of_inventory(host.inventory)[host.name]
print("RESOLVED", settings.ckan.smtp_password, settings)
"""


@pytest.fixture
def local(ready: Desk) -> Desk:
    (ready.checkout / "deploy.py").write_text(DEPLOY)
    (ready.checkout / "inventory/here.py").write_text(
        'portal = [("@local", {"address": "127.0.0.2", "portal_fqdn": "x.example.org", '
        '"ckan_smtp_server": "m:25", "ckan_mail_from": "p@x.org", '
        '"ckan_smtp_user": "u"})]\npostgresql = redis = solr = portal\n'
    )
    return ready


def test_a_run_without_a_terminal_stops_and_lists_all(local: Desk) -> None:
    for options in (["--dry"], ["-y"]):
        done = program("pyinfra", "inventory/here.py", "deploy.py", *options, cwd=local.checkout, env=local.env)
        assert done.returncode == 1
        said = done.stdout + done.stderr
        assert "RESOLVED" not in said and "Traceback" not in said
        for name in ("postgresql_password", "ckan_secret_key"):
            assert f"the secret {name} is missing in inventory/secrets/here.toml: make it with `python" in said
        assert "settings.secrets set inventory/here.py ckan_smtp_password`" in said
    assert not (local.folder / "here.toml").exists()


def test_commands_name_the_inventory_that_was_given(local: Desk) -> None:
    """It may stand anywhere; what is said must do what it says when it is typed."""
    place = "their sites/here.py"
    (local.checkout / "their sites").mkdir()
    (local.checkout / "inventory/here.py").rename(local.checkout / place)
    for module, arguments in (
        ("pyinfra", (place, "deploy.py", "-y")),
        ("settings", (place,)),
        ("settings.secrets", ("list", place)),
    ):
        done = program(module, *arguments, cwd=local.checkout, env=local.env)
        said = done.stdout + done.stderr
        assert "settings.secrets generate 'their sites/here.py'`" in said, said
        assert "settings.secrets set 'their sites/here.py' ckan_smtp_password`" in said
        assert "inventory/here.py" not in said


def test_a_group_without_its_host_is_said_with_the_inventory(local: Desk) -> None:
    with (local.checkout / "inventory/here.py").open("a") as file:
        file.write("redis = []\n")
    for verb in ("list", "generate"):
        said = program(PROGRAM, verb, "inventory/here.py", cwd=local.checkout, env=local.env).stderr
        assert "  inventory/here.py:3: group redis: it has no host, but must have one" in said


def test_a_run_at_a_terminal_asks(local: Desk) -> None:
    command = ["pyinfra", "-vvv", "--debug", "inventory/here.py", "deploy.py", "--dry", "--diff"]
    answers = [
        ("Make and keep it now? [Y/n] ", ""),
        ("ckan_smtp_password (Its password", OTHER),
        ("The same again", OTHER),
        ("encrypted? [Y/n]", "y"),
    ]
    status, said = converse(command, answers, cwd=local.checkout, env=local.env)
    assert status == 0, said
    assert "RESOLVED *MASKED*" in said and OTHER not in said
    kept = Vault(local.folder, "here").contents().sealed
    assert sorted(kept) == [
        Place("ckan_secret_key"),
        Place("ckan_smtp_password"),
        Place("postgresql_password"),
        Place("redis_password"),
    ]
    unasked = ["pyinfra", "-y", "inventory/here.py", "deploy.py"]
    (local.folder / "here.toml").rename(local.folder / "away")
    status, said = converse(unasked, [], cwd=local.checkout, env=local.env)
    assert status == 1 and "the secret ckan_smtp_password is missing" in said and "RESOLVED" not in said
    (local.folder / "away").rename(local.folder / "here.toml")
    status, said = converse(command, [], cwd=local.checkout, env=local.env)  # nothing is asked any more
    assert status == 0 and "RESOLVED *MASKED*" in said, said


def test_a_run_asks_for_a_passphrase_once(local: Desk, tmp_path: Path) -> None:
    bob = operator(tmp_path / "keys", "bob", passphrase=PASSPHRASE)
    for verb, *arguments in (["generate"], ["recipients", "add", bob.line]):
        assert (
            program(PROGRAM, verb, "inventory/here.py", *arguments, cwd=local.checkout, env=local.env).returncode == 0
        )
    local.has_key(bob)
    program(PROGRAM, "set", "inventory/here.py", "ckan_smtp_password", cwd=local.checkout, env=local.env, text=VALUE)
    command = ["pyinfra", "inventory/here.py", "deploy.py", "--dry"]
    status, said = converse(command, [("Passphrase of ", PASSPHRASE)], cwd=local.checkout, env=local.env)
    assert status == 0 and said.count("Passphrase of ") == 1 and "RESOLVED *MASKED*" in said, said
    done = program(*command, cwd=local.checkout, env=local.env)
    assert done.returncode == 1
    assert (done.stdout + done.stderr).count("has a passphrase, and there is no terminal") == 1


def test_the_repository_s_own_file_of_recipients() -> None:
    path = ROOT / "inventory/secrets/recipients"
    assert all(line.startswith("#") for line in path.read_text().splitlines())
    assert stat.S_IMODE(path.stat().st_mode) & 0o111 == 0
    assert [p.name for p in path.parent.iterdir()] == ["recipients"]


@pytest.mark.parametrize("kind", ["argument", "file"])
def test_a_private_key_is_no_recipient_and_is_not_shown(kind: str, ready: Desk, tmp_path: Path) -> None:
    key = "AGE-SECRET-KEY-1QQPQZ0"
    file = tmp_path / "key.txt"
    file.write_text(f"# created\n{key}\n")
    said = ready.refused("recipients", "add", key if kind == "argument" else str(file))
    assert "this is a private key" in said and key not in said
