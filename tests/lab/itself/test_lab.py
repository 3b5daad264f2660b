"""The lab itself, for real: boots hosts, breaks them, and looks for anything left behind. Needs root."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import base, host, paths

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="the lab makes namespaces and mounts: run as root"),
]
ROOT = Path(__file__).parents[3]
Found = dict[str, list[str]]


class Lab:
    """A lab in a state folder of its own, used through the command line like a person would."""

    def __init__(self, state: Path, cache: Path | None = None) -> None:
        self.state = state
        self.environment = {**os.environ, "CKAN_DEPLOY_LAB": str(state)}
        if cache:
            self.environment["CKAN_DEPLOY_CACHE"] = str(cache)

    def popen(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "lab", *words],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def __call__(self, *words: str, status: int = 0) -> str:
        # Reads to the end of the pipe: a daemon that kept it open would make this time out.
        with self.popen(*words) as process:
            output = process.communicate(timeout=300)[0]
        assert process.returncode == status, output
        return output

    def host(self, name: str) -> dict[str, object]:
        hosts = json.loads(self("list", "--json"))["hosts"]
        return next(dict(host) for host in hosts if host["name"] == name)


def prefix(state: Path) -> str:
    os.environ["CKAN_DEPLOY_LAB"], old = str(state), os.environ.get("CKAN_DEPLOY_LAB")
    try:
        return paths.prefix()
    finally:
        del os.environ["CKAN_DEPLOY_LAB"]
        if old is not None:
            os.environ["CKAN_DEPLOY_LAB"] = old


def output(*argv: str) -> list[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()


def traces(state: Path) -> Found:
    """Everything on this machine that carries the name of the lab in STATE; nothing of what else goes on there."""
    own = prefix(state)
    tag = own.removeprefix("ckl").removesuffix("-")
    links = [line.split("@")[0].split()[0] for line in output("ip", "-br", "link")]
    mounts: set[str] = set()
    spaces: set[Path] = set()
    processes = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
            words = (folder / "cmdline").read_bytes().decode(errors="replace")
            group = (folder / "cgroup").read_text()
            space = (folder / "ns/mnt").readlink()
            if space not in spaces:  # what is mounted in one of the lab's own namespaces is a trace, too
                mounts |= {line for line in (folder / "mounts").read_text().splitlines() if str(state) in line}
                spaces.add(space)
        except OSError:
            continue
        ours = f"CKAN_DEPLOY_LAB={state}".encode() in environment or str(state) in words or own in group
        if ours and int(folder.name) != os.getpid():
            processes.append(words.replace("\0", " "))
    others = [link for link in links if "ckl" in link and own not in link and link.endswith("-br")]
    return {
        "links": [link for link in links if own in link],
        "netns": sorted(path.name for path in Path("/run/netns").glob("*") if own in path.name),
        "tables": [line for line in output("nft", "list", "tables") if f"ckan_deploy_lab_{tag}" in line],
        "mounts": sorted(mounts),
        "hosts": [line for line in Path("/etc/hosts").read_text().splitlines() if line.endswith(f"lab {tag}")],
        "groups": [str(path) for path in Path("/sys/fs/cgroup").glob("**/ckl*") if own in str(path)],
        "processes": processes,
        "ip_forward": ["any, another lab is up"] if others else [Path("/proc/sys/net/ipv4/ip_forward").read_text()],
    }


# What a lab with hosts has: where these are not seen, nothing of it would be missed either.
SEEN = ("links", "tables", "mounts", "hosts", "groups", "processes")


def assert_same(before: Found, after: Found) -> None:
    if "any, another lab is up" in before["ip_forward"] + after["ip_forward"]:
        before, after = {**before, "ip_forward": []}, {**after, "ip_forward": []}
    assert not any(before[kind] for kind in SEEN), "it was there before"
    assert after == before


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Two hosts, one per Debian release; whatever the tests do, nothing is left afterwards."""
    state = tmp_path_factory.mktemp("lab") / "state"
    before = traces(state)
    lab = Lab(state)
    try:
        lab("up", "one", "--release", "bookworm")
        lab("up", "two", "--release", "trixie")
        up = traces(state)
        assert [kind for kind in SEEN if not up[kind]] == [], "these traces are not seen"
        yield lab
    finally:
        lab("down", "--all", "--snapshots")
        assert_same(before, traces(state))


@pytest.fixture
def spare(tmp_path: Path) -> Iterator[Lab]:
    """A lab without hosts."""
    lab = Lab(tmp_path / "state")
    before = traces(lab.state)
    try:
        yield lab
    finally:
        lab("down", "--all", "--snapshots")
        assert_same(before, traces(lab.state))


@pytest.mark.parametrize(("name", "codename"), [("one", "bookworm"), ("two", "trixie")])
def test_boots_to_a_bare_server(lab: Lab, name: str, codename: str) -> None:
    assert lab("run", name, "--", "systemctl", "is-system-running").strip() == "running"
    assert lab("run", name, "--", "systemctl", "--failed", "--no-legend").strip() == ""
    assert f"VERSION_CODENAME={codename}" in lab("run", name, "--", "cat", "/etc/os-release")
    assert lab("run", name, "--", "hostname").strip() == name
    assert f"{name}.test" in lab("run", name, "--", "cat", "/etc/hosts")
    lab("run", name, "--", "sh", "-c", "! command -v gcc")


@pytest.mark.parametrize("name", ["one", "two"])
def test_timers_of_packages_do_not_elapse(lab: Lab, name: str) -> None:
    """A timer of a portal, and a time that somebody gives a package's, are in force."""
    unit, own = "/etc/systemd/system", "ckan-scheduled-own.timer"
    folder = f"{unit}/apt-daily.timer.d"
    write = f"printf '[Timer]\\nOnCalendar=daily\\nUnit=sysinit.target\\n' > {unit}/{own}; mkdir {folder}"
    write += f"; printf '[Timer]\\nOnCalendar=daily\\n' > {folder}/a.conf"
    lab("run", name, "--", "sh", "-ec", f"{write}; systemctl daemon-reload; systemctl start {own}")
    timers = json.loads(lab("run", name, "--", "systemctl", "list-timers", "--output=json"))
    soon = {timer["unit"] for timer in timers if timer["next"] / 1e6 < time.time() + 366 * 24 * 3600}
    assert soon == {own, "apt-daily.timer"}
    assert {timer["unit"] for timer in timers} >= {"dpkg-db-backup.timer", "systemd-tmpfiles-clean.timer"}
    clean = f"rm -r {unit}/{own} {folder}; systemctl stop {own}; systemctl daemon-reload"
    lab("run", name, "--", "sh", "-ec", clean)


@pytest.mark.parametrize("name", ["one", "two"])
def test_ssh_is_strict_and_has_sudo(lab: Lab, name: str) -> None:
    assert lab("ssh", name, "whoami; sudo -n id -u; locale charmap").split() == ["deploy", "0", "UTF-8"]
    host = lab.host(name)
    argv = ["ssh", "-F", "none", "-i", str(host["ssh_key"]), "-o", "StrictHostKeyChecking=yes"]
    argv += ["-o", f"HostKeyAlias={name}", "-o", f"deploy@{host['address']}"]
    good = [*argv[:-2], "-o", f"UserKnownHostsFile={host['known_hosts']}", argv[-1], "true"]
    bad = [*argv[:-2], "-o", "UserKnownHostsFile=/dev/null", argv[-1], "true"]
    assert subprocess.run(good, capture_output=True, timeout=120).returncode == 0
    assert subprocess.run(bad, capture_output=True, timeout=120).returncode == 255


def test_hosts_differ(lab: Lab) -> None:
    for file in ("/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub"):
        assert lab("run", "one", "--", "cat", file) != lab("run", "two", "--", "cat", file)


@pytest.mark.parametrize(("name", "other"), [("one", "two"), ("two", "one")])
def test_hosts_reach_each_other_and_the_registry(lab: Lab, name: str, other: str) -> None:
    lab("run", name, "--", "ping", "-c1", "-W3", str(lab.host(other)["address"]))
    assert "Reading package lists" in lab("run", name, "--", "apt-get", "update", "--error-on=any")


def test_debs_are_kept_for_the_next_host(lab: Lab) -> None:
    lab("up", "three", "--release", "bookworm")
    lab("run", "three", "--", "apt-get", "install", "-y", "--no-install-recommends", "lzop")
    lab("down", "three")
    lab("up", "three", "--release", "bookworm")
    said = lab("run", "three", "--", "apt-get", "install", "-y", "--no-install-recommends", "lzop")
    assert "Need to get 0 B/" in said
    lab("down", "three")


def test_controller_knows_the_names(lab: Lab) -> None:
    assert output("getent", "hosts", "one.test")[0].split()[0] == lab.host("one")["address"]


def test_reboot_and_power_cut_keep_address_and_data(lab: Lab) -> None:
    before = lab.host("one")
    lab("run", "one", "--", "sh", "-c", "echo kept > /var/kept")
    lab("reboot", "one")
    assert lab("ssh", "one", "cat /var/kept").strip() == "kept"
    invocation = lab("run", "one", "--", "systemctl", "show", "-p", "InvocationID", "ssh.service")
    with lab.popen("ssh", "one", "sudo systemctl reboot") as process:
        process.communicate(timeout=300)
    limit = time.monotonic() + 300
    while True:
        with lab.popen("run", "one", "--", "systemctl", "show", "-p", "InvocationID", "ssh.service") as process:
            said = process.communicate(timeout=300)[0]
        if process.returncode == 0 and said not in (invocation, "InvocationID=\n") and "=" in said:
            break
        assert time.monotonic() < limit, "the guest did not come back from its own reboot"
        time.sleep(0.1)
    lab("up", "one")
    lab("kill", "one")
    assert lab.host("one")["running"] is False
    assert "is not running" in lab("run", "one", "--", "true", status=1)
    lab("start", "one")
    lab("poweroff", "one")
    lab("up", "one")
    assert lab("ssh", "one", "cat /var/kept").strip() == "kept"
    assert lab.host("one") == before


def test_network_can_be_cut_and_mended(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CKAN_DEPLOY_LAB", str(lab.state))
    gateway = lab("mirror", "url").strip().removeprefix("http://").partition(":")[0]
    host.cut("two")
    lab("run", "two", "--", "sh", "-c", f"! ping -c1 -W1 {gateway}")
    host.mend("two")
    lab("run", "two", "--", "ping", "-c3", "-W3", gateway)


def test_failed_unit_is_named(lab: Lab) -> None:
    unit = "printf '[Service]\\nExecStart=false\\n[Install]\\nWantedBy=multi-user.target\\n'"
    lab(
        "run",
        "two",
        "--",
        "sh",
        "-c",
        f"{unit} > /etc/systemd/system/broken.service; systemctl enable broken",
    )
    said = lab("reboot", "two", status=1)
    assert said == "lab: two is up, but these units failed: broken.service\n"
    lab("run", "two", "--", "sh", "-c", "systemctl disable broken; systemctl reset-failed broken")


def test_up_again_is_no_change(lab: Lab) -> None:
    main = lab("run", "one", "--", "systemctl", "show", "-p", "MainPID", "ssh.service")
    assert "is running already" in lab("up", "one")
    assert lab("run", "one", "--", "systemctl", "show", "-p", "MainPID", "ssh.service") == main


def test_snapshot_and_clones(lab: Lab) -> None:
    lab("up", "origin", "--release", "bookworm")
    address = lab.host("origin")["address"]
    move = "mkdir -p /srv/x && echo first > /srv/x/file && mv /etc/apt /etc/apt2 && rm /etc/hostname"
    lab("run", "origin", "--", "sh", "-c", move)
    lab("snapshot", "origin", "first")
    lab("run", "origin", "--", "sh", "-c", "echo second > /srv/x/file; rm -r /etc/apt2/apt.conf.d")
    lab("snapshot", "origin", "second", "--stopped")
    assert lab.host("origin")["running"] is False
    assert "is used by" in lab("snapshot", "--delete", "first", status=1)
    lab("down", "origin")
    lab("up", "clone", "--from", "second")
    lab("up", "other", "--from", "first")
    assert lab.host("clone")["address"] == address != lab.host("other")["address"]
    assert lab("ssh", "clone", "hostname; cat /srv/x/file; ls /etc/apt2 | wc -l").split()[:2] == [
        "clone",
        "second",
    ]
    assert lab("ssh", "other", "hostname; cat /srv/x/file; ls -d /etc/apt2/apt.conf.d").split() == [
        "other",
        "first",
        "/etc/apt2/apt.conf.d",
    ]
    lab("run", "other", "--", "sh", "-c", "! test -e /etc/apt && ! test -e /etc/apt2/apt")
    assert "is used by" in lab("snapshot", "--delete", "second", status=1)
    lab("down", "clone", "other")
    lab("snapshot", "--delete", "second")
    lab("snapshot", "--delete", "first")
    assert json.loads(lab("list", "--json"))["snapshots"] == []


def test_mirror_serves_files_and_nothing_else(lab: Lab) -> None:
    url = lab("mirror", "url").strip()
    folder = paths.cache() / "mirror"
    (folder / "lab-test").mkdir(exist_ok=True)
    try:
        (folder / "lab-test/file").write_text("content")
        (folder / "lab-test/escape").symlink_to("/etc/passwd")
        get = (
            "import sys, http.client as h, urllib.parse as p\n"
            "u = p.urlsplit(sys.argv[1]); c = h.HTTPConnection(u.netloc, timeout=9)\n"
            "c.request('GET', sys.argv[2]); r = c.getresponse(); print(r.status, r.read()[:20].decode())"
        )
        wanted = {"/lab-test/file": "200 content", "/lab-test/escape": "404", "/../../etc/passwd": "404"}
        for path, answer in wanted.items():
            for name in ("one", "two"):
                assert lab("run", name, "--", "python3", "-c", get, url, path).startswith(answer)
    finally:
        for name in ("file", "escape"):
            (folder / "lab-test" / name).unlink(missing_ok=True)
        (folder / "lab-test").rmdir()


@pytest.mark.parametrize("made", ["nothing", "tables", "links", "groups", "mounts", "hosts"])
def test_killed_up_leaves_nothing_after_down(spare: Lab, made: str) -> None:
    """Killed as soon as it has made one of these."""
    with spare.popen("up", "k1", "k2", "--release", "bookworm") as process:
        limit = time.monotonic() + 300
        while made != "nothing" and not traces(spare.state)[made]:
            assert time.monotonic() < limit and process.poll() is None, f"there were no {made}"
        assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        # The pipe stays open only while a short command of the killed lab still runs.
        process.communicate(timeout=300)
    assert process.returncode == -signal.SIGKILL, "it had ended before"
    # `spare` takes the lab down and compares. A second `up` must also work from there:
    if made in ("links", "mounts"):
        spare("up", "k1", "--release", "bookworm")
        assert spare("ssh", "k1", "hostname").strip() == "k1"


def test_killed_host_processes_leave_nothing_after_down(spare: Lab) -> None:
    spare("up", "k1", "k2", "--release", "bookworm")
    session = spare.popen("ssh", "k1", "echo in; sleep 600")
    assert session.stdout is not None
    assert session.stdout.readline().strip() == "in"
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        # Only processes of this test's own lab: its state folder is in their arguments.
        if any(word.startswith(str(spare.state)) for word in words) and ("lab.supervise" in words):
            os.kill(int(folder.name), signal.SIGKILL)
    spare("down", "k1")
    spare("down", "k2")
    assert session.wait(20) != 0


def test_killed_build_is_not_taken_for_whole(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    lab = Lab(tmp_path / "state", cache)
    before = traces(lab.state)
    with lab.popen("up", "k1", "--release", "bookworm") as process:
        limit = time.monotonic() + 300
        # In the middle: the first packages are unpacked, most of the work is to come.
        while not list((cache / "bases").glob(".new-*/root/usr/bin/dpkg")):
            assert time.monotonic() < limit and process.poll() is None, "no base system was begun"
            time.sleep(0.1)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=300)
    assert list((cache / "bases").glob(".new-*"))
    lab("down", "--all")
    assert_same(before, traces(lab.state))
    lab("up", "k1", "--release", "bookworm")
    assert not list((cache / "bases").glob(".new-*"))
    lab("down")
    assert_same(before, traces(lab.state))


def test_old_base_stands_in_when_it_cannot_be_rebuilt(tmp_path: Path, spare: Lab) -> None:
    newest = base.ensure("bookworm").parent  # there may be a newer one of another working copy's
    cache = tmp_path / "cache"
    (cache / "bases").mkdir(parents=True)
    old = cache / "bases" / f"{newest.name.rpartition('-')[0]}-{int(time.time()) - 8 * 24 * 3600}"
    # Not by hard links: they change the files' time for the hosts that stand on them, whose services seem stale then.
    subprocess.run(["cp", "-a", str(newest), str(old)], check=True)
    lab = Lab(spare.state, cache)
    lab.environment["PATH"] = str(bin_without(tmp_path, "mmdebstrap"))
    said = lab("up", "k1", "--release", "bookworm")
    assert "warning: mmdebstrap is missing: apt-get install mmdebstrap; using the base of bookworm from" in said
    lab("down")


def test_down_is_idempotent(spare: Lab) -> None:
    assert spare("down") == ""
    assert spare("down", "--all", "--snapshots") == ""
    spare("down", "nobody")


def one_sentence(said: str) -> bool:
    return said.startswith("lab: ") and said.count("\n") == 1 and "Traceback" not in said


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("up", "x", "--release", "sarge"), "unknown release 'sarge'"),
        (("up", "Bad_Name"), "is no host name"),
        (("up", "../x"), "is no host name"),
        (("up", "x", "--from", "nothing"), "there is no snapshot nothing"),
        (("up", "x", "--memory", "lots"), "no amount of memory"),
        (("ssh", "nobody"), "there is no lab host nobody"),
        (("run", "nobody", "--", "true"), "there is no lab host nobody"),
        (("kill", "nobody"), "there is no lab host nobody"),
        (("snapshot", "nobody", "s"), "there is no lab host nobody"),
        (("snapshot", "--delete", "nothing"), "there is no snapshot nothing"),
        (("frobnicate",), "invalid choice"),
        (("mirror", "url"), "only while there are hosts"),
    ],
)
def test_errors_are_one_sentence(spare: Lab, words: tuple[str, ...], part: str) -> None:
    said = spare(*words, status=1)
    assert one_sentence(said), said
    assert part in said


def test_release_without_archive(spare: Lab) -> None:
    if "ubuntu" in Path("/etc/os-release").read_text():
        pytest.skip("this controller has an Ubuntu archive")
    said = spare("up", "x", "--release", "noble", status=1)
    assert one_sentence(said), said
    assert "needs the archive of Ubuntu" in said


def bin_without(folder: Path, missing: str) -> Path:
    """A folder with every program of this machine but one."""
    tools = folder / "bin"
    tools.mkdir()
    for source in ("/usr/sbin", "/usr/bin", "/sbin", "/bin"):
        for tool in Path(source).iterdir():
            if tool.name != missing and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    return tools


@pytest.mark.parametrize("missing", ["nft", "systemd-nspawn", "mmdebstrap"])
def test_missing_tool(spare: Lab, tmp_path: Path, missing: str) -> None:
    crippled = Lab(spare.state, tmp_path / "cache")
    crippled.environment["PATH"] = str(bin_without(tmp_path, missing))
    said = crippled("up", "x", status=1)
    assert one_sentence(said.removeprefix("building the base system\n")), said
    assert f"{missing} is missing: apt-get install " in said
