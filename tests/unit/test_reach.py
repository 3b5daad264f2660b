"""Hosts that cannot be reached, through pyinfra's real command line: one sentence, with the inventory's line."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit import programs, sshd
from tests.unit.spoken import Terminal

ROOT = Path(__file__).resolve().parent.parent.parent
Run = Callable[..., tuple[int, list[str]]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[sshd.Server]:
    with sshd.serve(tmp_path_factory.mktemp("sshd") / "host") as running:
        yield running


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a deploy that changes something on the host ``there``; return its exit status and what it said of errors."""
    checkout = tmp_path / "checkout"
    for name in ("facts", "operations", "pyinfra_adapter", "settings"):
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "config.py", checkout)
    (checkout / "change.py").write_text("from pyinfra.operations import server\nserver.shell(commands=['true'])\n")
    (tmp_path / "home/.ssh").mkdir(parents=True)

    def start(data: dict[str, Any], *options: str, besides: bool = False, **files: str) -> tuple[int, list[str]]:
        for name, text in files.items():
            (tmp_path / "home/.ssh" / name).write_text(text)
        lines = [f"_data = {data!r}", "portal = [", "    ('there', _data),", "]"]
        (checkout / "here.py").write_text("\n".join(lines) + "\n")
        environment = {**os.environ, "HOME": str(tmp_path / "home")}
        environment.pop("SSH_AUTH_SOCK", None)
        done = programs.run(["-m", "pyinfra", "here.py", "change.py", *options], cwd=checkout, env=environment)
        output = done.stdout + done.stderr
        assert "Traceback" not in output and "internal exception" not in output, output
        assert "pyinfra error" not in output and not (checkout / "pyinfra-debug.log").exists(), output
        errors = [line for line in output.splitlines() if line.startswith("--> error: ")]
        assert len(errors) <= 1 and (done.returncode == 0) == (not errors), output
        if errors and not besides:
            said = [line for line in output.splitlines() if line and not line.startswith("--> ")]
            assert said == [], output  # nothing besides it
        return done.returncode, [line.removeprefix("--> error: ") for line in errors]

    return start


def test_a_host_that_is_reached(run: Run, server: sshd.Server) -> None:
    assert run(server.data, "-y") == (0, [])


@pytest.mark.parametrize("options", [("-y",), ("--dry",)])
def test_a_wrong_key(run: Run, server: sshd.Server, tmp_path: Path, options: tuple[str, ...]) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    status, said = run({**server.data, "ssh_key": str(tmp_path / "other")}, *options)
    assert (status, said) == (1, [
        f"here.py:3: there (127.0.0.1, port {server.port}) does not let in deploy with the key {tmp_path}/other: "
        "Authentication failed; put the key's public half into that account's ~/.ssh/authorized_keys there, or correct "
        "ssh_user (here.py:1) or ssh_key (here.py:1)",
    ])  # fmt: skip


def test_no_key(run: Run, server: sshd.Server) -> None:
    status, said = run({key: value for key, value in server.data.items() if key != "ssh_key"}, "-y")
    assert status == 1 and "does not let in deploy with any key of the agent or of ~/.ssh" in said[0]


def test_a_host_that_is_down(run: Run, server: sshd.Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    status, said = run({**server.data, "ssh_port": port}, "-y")
    assert (status, said) == (1, [
        f"here.py:3: there (127.0.0.1, port {port}) does not answer: connection refused; see that it is up, that sshd "
        "runs there, and that ssh_hostname (here.py:1) and ssh_port are right",
    ])  # fmt: skip


def test_a_name_that_does_not_resolve(run: Run, server: sshd.Server) -> None:
    status, said = run({**server.data, "ssh_hostname": "no-such-host.invalid"}, "--dry")
    assert (status, said) == (1, [
        "here.py:3: the name no-such-host.invalid of there does not resolve on this machine; correct ssh_hostname "
        "(here.py:1), or set it to an address",
    ])  # fmt: skip


def test_a_key_file_that_is_missing(run: Run, server: sshd.Server) -> None:
    status, said = run({**server.data, "ssh_key": "/nonexistent/id"}, "-y")
    assert (status, said) == (1, [
        "here.py:3: the key file /nonexistent/id of there is not there; correct ssh_key (here.py:1), or make the key "
        "with ssh-keygen",
    ])  # fmt: skip


def test_a_key_that_cannot_be_read(run: Run, server: sshd.Server, tmp_path: Path) -> None:
    (tmp_path / "odd").write_text("no key\n")
    status, said = run({**server.data, "ssh_key": str(tmp_path / "odd")}, "-y")
    assert status == 1 and said[0].startswith(
        f"here.py:3: the key file {tmp_path}/odd of there cannot be used: Invalid"
    )
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "passphrase", "-f", tmp_path / "locked"], check=True)
    status, said = run({**server.data, "ssh_key": str(tmp_path / "locked")}, "-y")
    assert status == 1 and "has a passphrase, and nobody to ask for it; put the key into an agent" in said[0]


def test_what_is_no_ssh_server(run: Run, server: sshd.Server) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with subprocess.Popen(
            ["python3", "-c", "import socket, sys; s = socket.socket(fileno=0)\nwhile True: s.accept()[0].close()"],
            stdin=other.fileno(),
        ) as closing:
            try:
                status, said = run({**server.data, "ssh_port": port}, "-y")
            finally:
                closing.kill()
    assert status == 1 and f"there (127.0.0.1, port {port}) cannot be talked to by SSH: " in said[0], said


def test_no_terminal_to_ask_at(run: Run, server: sshd.Server) -> None:
    for options in ((), ("-v",)):
        assert run(server.data, *options, besides=True) == (1, [
            "nothing was changed: there is no terminal to ask at; add -y to change it without being asked, or --dry to "
            "see only what would change",
        ])  # fmt: skip


@pytest.mark.parametrize(
    ("host", "says"),
    [
        (
            {"sudoers": "deploy ALL=(ALL) ALL\n"},
            "here.py:3: there: sudo wants a password there, and there is no terminal to ask for it; run at a terminal, "
            "or let the account do without one (`ACCOUNT ALL=(ALL) NOPASSWD: ALL` in a file of /etc/sudoers.d on "
            "there)",
        ),
        ({"sudoers": "# nobody\n"}, "here.py:3: there: sudo wants a password there"),
        (
            {"shell": "/usr/bin/tcsh"},
            "here.py:3: there: the login shell there is /usr/bin/tcsh, which takes no line breaks within quotes, so "
            "our commands cannot be run; give the account another (`sudo chsh -s /bin/bash ACCOUNT` on there)",
        ),
        (
            {"shell": "/usr/sbin/nologin"},
            "here.py:3: there: our commands cannot be run; the login shell there is a program that runs no commands, "
            "and said: This account is currently not available.;",
        ),
        (
            {"home": {".bashrc": "echo not here; exit\n"}},
            "and said: not here; see that `ssh there sh -c true` works, and that no start file of the shell",
        ),
    ],
    ids=["a password", "no right", "tcsh", "nologin", "a start file that ends"],
)
@pytest.mark.parametrize("option", ["-y", "--dry"])
def test_a_host_where_no_command_can_be_run(
    run: Run, tmp_path: Path, host: dict[str, Any], says: str, option: str
) -> None:
    noise = {"etc": {"hosts": "127.0.0.1 localhost\n", "resolv.conf": ""}}
    with sshd.serve(tmp_path / "host", **{**noise, **host}) as server:
        status, said = run(server.data, option)
    assert status == 1 and says in said[0], said


# The password is "secret".
SHADOW = (
    "root:*:19000:0:99999:7:::\nsshd:*:19000:0:99999:7:::\n"
    "deploy:$6$dqo5yuZonwRcn/lA$V44atyPpfqC3g6cDcBggkirPoyRJKX2Y9DpsoPWEl3YqxNuDr34eyjfK7gqO9G5E/4G9Y5Mz3sWDsGnn1G4YN0"
    ":19000:0:99999:7:::\n"
)


@pytest.mark.parametrize(("password", "status"), [("secret", 0), ("wrong", 1)])
@pytest.mark.parametrize("shell", ["/bin/bash", "/usr/bin/fish"])
def test_at_a_terminal_sudo_s_password_is_asked_for(
    run: Run, tmp_path: Path, shell: str, password: str, status: int
) -> None:
    etc = {"shadow": SHADOW, "hosts": "127.0.0.1 localhost\n", "resolv.conf": ""}
    with sshd.serve(tmp_path / "host", shell=shell, sudoers="deploy ALL=(ALL) ALL\n", etc=etc) as server:
        run(server.data, "-y")  # the files
        checkout = tmp_path / "checkout"
        (checkout / "change.py").rename(checkout / "work.py")
        terminal = Terminal(checkout, "-y", arguments=("here.py", "work.py"))
        terminal.until("sudo password: ")
        terminal.type(f"{password}\n")
        assert terminal.end() == status, terminal.said
    assert "Traceback" not in terminal.said and password not in terminal.said
    assert ("sudo did not take the password; run again" in terminal.said) == bool(status), terminal.said


CONFIG = "Host 127.0.0.1\n  ConnectTimeout 9\nMatch localnetwork 192.0.2.0/24\n  HostName 192.0.2.1\n"


def test_an_ssh_config_that_would_be_misread(run: Run, server: sshd.Server, tmp_path: Path) -> None:
    status, said = run(server.data, "-y", config="Include more\n", more=CONFIG)
    assert (status, said) == (1, [
        f"{tmp_path}/home/.ssh/more:3: `Match localnetwork 192.0.2.0/24`: localnetwork would be taken to match always, "
        "so that a wrong host may be reached; write the line with host, user or exec instead, or name a file without "
        'it (ssh_config_file = "…" in group_data)',
    ])  # fmt: skip
    (tmp_path / "plain").write_text("")
    assert run({**server.data, "ssh_config_file": str(tmp_path / "plain")}, "-y", config=CONFIG) == (0, [])


def test_an_ssh_config_that_is_read_as_ssh_does(run: Run, server: sshd.Server) -> None:
    data = {**server.data, "ssh_hostname": "alias"}
    config = 'Match host alias exec "test %n = alias"\n  HostName 127.0.0.1\nMatch exec "false"\n  Port 1\n'
    assert run(data, "-y", config=config) == (0, [])


def test_a_jump_host_that_is_its_own(run: Run, server: sshd.Server) -> None:
    status, said = run(server.data, "-y", config="Host *\n  ProxyJump jump.invalid\n")
    assert status == 1 and "goes in a circle: a jump host in your SSH configuration (ProxyJump) is its own" in said[0]


def test_a_certificate_authority_among_the_known_hosts(run: Run, server: sshd.Server, tmp_path: Path) -> None:
    known = server.known_hosts.read_text()
    authority = f"@cert-authority *.example.org {known.split(maxsplit=1)[1]}"
    (tmp_path / "known").write_text(authority + known)
    assert run({**server.data, "ssh_known_hosts_file": str(tmp_path / "known")}, "-y") == (0, [])
    (tmp_path / "other").write_text(authority)
    status, said = run({**server.data, "ssh_known_hosts_file": str(tmp_path / "other")}, "-y")
    assert status == 1
    assert (
        f"the host key of [127.0.0.1]:{server.port} is not known in {tmp_path}/other; what {tmp_path}/other:1 "
        in said[0]
    )
    assert (
        "(@cert-authority) says cannot be heeded: each host's own key is needed; record it (`ssh-keyscan -p" in said[0]
    )


def test_a_host_key_that_has_changed(run: Run, server: sshd.Server, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "other"], check=True)
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{server.port} {(tmp_path / 'other.pub').read_text()}")
    status, said = run({**server.data, "ssh_known_hosts_file": str(known)}, "-y")
    assert (status, said) == (1, [
        f"here.py:3: there (127.0.0.1, port {server.port}) has another host key than the one that is known: either "
        "somebody stands in between, or the host was made anew; then remove the old one "
        f"(`ssh-keygen -R '[127.0.0.1]:{server.port}' -f {known}`), and record the new one",
    ])  # fmt: skip


def test_a_revoked_host_key(run: Run, server: sshd.Server, tmp_path: Path) -> None:
    known = server.known_hosts.read_text()
    (tmp_path / "known").write_text(f"{known}@revoked * {known.split(maxsplit=1)[1]}")
    data = {
        **server.data,
        "ssh_known_hosts_file": str(tmp_path / "known"),
        "ssh_strict_host_key_checking": "accept-new",
    }
    status, said = run(data, "-y")
    assert status == 1 and f"is revoked in {tmp_path}/known" in said[0]
