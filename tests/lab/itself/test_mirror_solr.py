"""The lab's Solr: built, unpacked and run as a service would run it, with CKAN's own schema."""

import hashlib
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from lab import mirror_solr, solr_build
from lab.mirror_solr import Lock, ensure_solr
from lab.solr_build import SOLR_VERSION, MirrorError

pytestmark = pytest.mark.lab

CKAN = "ckan==2.11.6"
SCRIPT = solr_build.RECIPE / "bin" / "solr"
CHECKOUT = solr_build.RECIPE.parent.parent
START_SECONDS = 300
# As the product's: CKAN commits after each change, the automatic commits are the net below it.
SOLRCONFIG = """<?xml version="1.0" encoding="UTF-8"?>
<config>
  <luceneMatchVersion>9.12</luceneMatchVersion>
  <schemaFactory class="ClassicIndexSchemaFactory"/>
  <updateHandler class="solr.DirectUpdateHandler2">
    <updateLog/>
    <autoCommit><maxTime>15000</maxTime><openSearcher>false</openSearcher></autoCommit>
    <autoSoftCommit><maxTime>5000</maxTime></autoSoftCommit>
  </updateHandler>
  <query>
    <filterCache size="512" initialSize="512" autowarmCount="0"/>
    <queryResultCache size="512" initialSize="512" autowarmCount="0"/>
    <documentCache size="512" initialSize="512" autowarmCount="0"/>
    <enableLazyFieldLoading>true</enableLazyFieldLoading>
  </query>
  <requestDispatcher><httpCaching never304="true"/></requestDispatcher>
  <requestHandler name="/select" class="solr.SearchHandler">
    <lst name="defaults"><str name="echoParams">explicit</str></lst>
  </requestHandler>
  <requestHandler name="/query" class="solr.SearchHandler">
    <lst name="defaults"><str name="echoParams">explicit</str><str name="wt">json</str></lst>
  </requestHandler>
</config>
"""


@dataclass
class Unprivileged:
    """Starts processes as nobody, and knows its user's folders."""

    folder: Path

    def start(self, command: list[str], environment: dict[str, str], output: Path) -> subprocess.Popen[bytes]:
        root = os.geteuid() == 0
        with output.open("wb") as file:
            return subprocess.Popen(
                command,
                cwd="/",
                env={"PATH": os.environ["PATH"], **environment},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                user="nobody" if root else None,
                group="nogroup" if root else None,
                extra_groups=[] if root else None,
            )

    def run(self, command: list[str], environment: dict[str, str]) -> tuple[int, str]:
        output = self.folder / "answer"
        status = self.start(command, environment, output).wait(timeout=300)
        return status, output.read_text()

    def own(self, path: Path) -> Path:
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            for each in [path, *path.rglob("*")]:
                os.chown(each, nobody.pw_uid, nobody.pw_gid)
        return path


@dataclass
class Solr:
    """A Solr home of its own, and the server that is started on it."""

    script: Path
    folder: Path
    nobody: Unprivileged
    settings: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return int(self.settings["SOLR_PORT"])

    def include(self, **more: str) -> Path:
        path = self.folder / "solr.in.sh"
        path.write_text("".join(f'{name}="{value}"\n' for name, value in {**self.settings, **more}.items()))
        return path

    def command(self, *arguments: str, **more: str) -> tuple[int, str]:
        environment = {"SOLR_INCLUDE": str(self.include(**more)), **self.environment}
        return self.nobody.run([str(self.script), *arguments], environment)

    def start(self, **more: str) -> None:
        self.process = self.nobody.start(
            [str(self.script), "start", "-f"],
            {"SOLR_INCLUDE": str(self.include(**more)), **self.environment},
            self.folder / "output",
        )
        end = time.monotonic() + START_SECONDS
        while True:
            assert self.process.poll() is None, self.output()
            try:
                assert self.get_json("ckan/admin/ping")["status"] == "OK"
                return
            except (OSError, urllib.error.URLError):
                assert time.monotonic() < end, self.output()
                time.sleep(0.1)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(timeout=300)
        self.process = None
        return status

    def output(self) -> str:
        return (self.folder / "output").read_text()

    def get(self, path: str, body: object = None) -> str:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/solr/{path}")
        if body is not None:
            request.data = json.dumps(body).encode()
            request.add_header("Content-Type", "application/json")
        with urllib.request.urlopen(request, timeout=120) as answer:
            return str(answer.read().decode())

    def get_json(self, path: str, body: object = None) -> dict[str, object]:
        answer = json.loads(self.get(f"{path}{'&' if '?' in path else '?'}wt=json", body))
        assert isinstance(answer, dict)
        return answer

    def request_logs(self) -> list[Path]:
        return sorted(Path(self.settings["SOLR_LOGS_DIR"]).glob("*.request.log"))


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that nobody may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="solr-test-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.fixture(scope="module")
def mirror(folder: Path) -> Path:
    """The mirror, built by two builders at once."""
    mirror = folder / "mirror"
    command = [sys.executable, "-m", "lab.mirror_solr", str(mirror)]
    builders = [subprocess.Popen(command, cwd=CHECKOUT) for _ in range(2)]
    assert [builder.wait() for builder in builders] == [0, 0]
    return mirror


@pytest.fixture(scope="module")
def tarball(mirror: Path) -> Path:
    return mirror / "solr" / SOLR_VERSION / f"solr-{SOLR_VERSION}.tgz"


@pytest.fixture(scope="module")
def script(tarball: Path, folder: Path) -> Path:
    """bin/solr, reached as the product reaches it: /opt/solr is a link to /opt/solr-VERSION."""
    opt = folder / "opt"
    opt.mkdir()
    with tarfile.open(tarball) as tar:
        tar.extractall(opt, filter="data")
    (opt / "solr").symlink_to(f"solr-{SOLR_VERSION}")
    return opt / "solr" / "bin" / "solr"


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """CKAN's own schema, from its wheel."""
    wheels = tmp_path_factory.mktemp("ckan")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", f"--dest={wheels}", CKAN]
    subprocess.run(command, check=True)
    (wheel,) = wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        return content.read("ckan/config/solr/schema.xml")


@pytest.fixture(scope="module")
def nobody(folder: Path) -> Unprivileged:
    return Unprivileged(folder)


@pytest.fixture
def solr(script: Path, schema: bytes, nobody: Unprivileged) -> Iterator[Solr]:
    with tempfile.TemporaryDirectory(prefix="home-", dir=nobody.folder) as name:
        folder = Path(name)
        folder.chmod(0o755)
        conf = folder / "home" / "ckan" / "conf"
        conf.mkdir(parents=True)
        (folder / "home" / "solr.xml").write_text("<solr/>\n")
        (conf.parent / "core.properties").write_text("name=ckan\n")
        (conf / "solrconfig.xml").write_text(SOLRCONFIG)
        (conf / "schema.xml").write_bytes(schema)
        (conf / "protwords.txt").touch()
        (conf / "synonyms.txt").touch()
        (folder / "logs").mkdir()
        nobody.own(folder / "logs")
        nobody.own(folder / "home")
        settings = {
            "SOLR_HOME": str(folder / "home"),
            "SOLR_PORT": str(free_port()),
            "SOLR_JETTY_HOST": "127.0.0.1",
            "SOLR_HEAP": "384m",
            "SOLR_LOGS_DIR": str(folder / "logs"),
            "SOLR_PID_DIR": str(folder / "home"),
        }
        solr = Solr(script, folder, nobody, settings)
        yield solr
        if solr.process is not None:
            solr.process.kill()
            solr.process.wait()


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


# --- the tarball


def test_the_checksum_file_has_the_form_of_apaches(tarball: Path) -> None:
    digest = hashlib.sha512(tarball.read_bytes()).hexdigest()

    assert tarball.with_name(tarball.name + ".sha512").read_text() == f"{digest}  {tarball.name}\n"


def test_members_are_sorted_and_of_root(tarball: Path) -> None:
    with tarfile.open(tarball) as tar:
        members = tar.getmembers()

    files = [member.name for member in members if member.isfile()]
    assert files == sorted(files)
    assert {name.split("/")[0] for name in files} == {f"solr-{SOLR_VERSION}"}
    assert {(m.uid, m.gid, m.uname, m.gname, m.mtime) for m in members} == {(0, 0, "root", "root", solr_build.MTIME)}
    executable = [member.name for member in members if member.isfile() and member.mode & 0o111]
    assert executable == [f"solr-{SOLR_VERSION}/bin/solr"]


def test_start_jar_runs_on_java_11_and_later(script: Path) -> None:
    jar = script.resolve().parent.parent / "server" / "start.jar"
    with zipfile.ZipFile(jar) as content:
        assert content.read("SolrServer.class")[7] == 44 + solr_build.JAVA_RELEASE


def test_a_second_call_builds_nothing(
    mirror: Path, tarball: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tarball.stat()
    monkeypatch.setenv("PATH", str(tmp_path))  # no mvn, no javac

    ensure_solr(SOLR_VERSION, mirror)

    assert tarball.stat() == before


def test_a_damaged_tarball_is_built_again_to_the_same_bytes(tarball: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "solr" / SOLR_VERSION
    shutil.copytree(tarball.parent, damaged)
    with (damaged / tarball.name).open("r+b") as file:
        file.truncate(1000)
    (tmp_path / "solr" / ".building-killed").mkdir()

    ensure_solr(SOLR_VERSION, tmp_path)

    assert (damaged / tarball.name).read_bytes() == tarball.read_bytes()
    assert sorted(path.name for path in damaged.parent.iterdir()) == [".lock", SOLR_VERSION]


def test_another_jar_than_the_locked_one_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Lock.read(mirror_solr.LOCK)
    first = min(lock.jars)
    other = tmp_path / "jars.json"
    other.write_text(Lock(lock.solr, {**lock.jars, first: "0" * 64}).text())
    monkeypatch.setattr(mirror_solr, "LOCK", other)

    with pytest.raises(MirrorError, match=re.escape(f"different: {first} has sha256 {lock.jars[first]}")):
        ensure_solr(SOLR_VERSION, tmp_path / "mirror")

    assert [path.name for path in (tmp_path / "mirror" / "solr").iterdir()] == [".lock"]


def test_a_version_without_a_lock_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MirrorError, match=r"--write-lock --version 9\.8\.1"):
        ensure_solr("9.8.1", tmp_path)


def test_missing_tools_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CKAN_DEPLOY_CACHE", str(tmp_path / "cache"))

    with pytest.raises(MirrorError, match="apt-get install maven default-jdk-headless"):
        ensure_solr(SOLR_VERSION, tmp_path / "mirror")


# --- bin/solr


def test_the_script_and_the_list_cover_the_same_variables() -> None:
    covered = json.loads((solr_build.RECIPE / "covered.json").read_text())
    (in_script,) = re.findall(r'^covered_variables="(.*)"$', SCRIPT.read_text(), re.MULTILINE)

    assert in_script.split() == covered["include_variables"] == sorted(covered["include_variables"])


def test_every_listed_command_is_covered(solr: Solr) -> None:
    covered = json.loads((solr_build.RECIPE / "covered.json").read_text())

    for command in covered["commands"]:
        words = ["1" if word == "PORT" else word for word in command.split()]
        status, answer = solr.command(*words, SOLR_HOME="/proc/none")
        if words[0] == "start":
            assert (status, "/proc/none is not there" in answer) == (2, True), answer
        else:
            assert (status, "lab stand-in" in answer) == (1 if "-p" in words else 0, False), answer


@pytest.mark.parametrize("command", ["version", "--version"])
def test_version(solr: Solr, command: str) -> None:
    status, answer = solr.command(command)

    assert (status, f"Solr version is: {SOLR_VERSION}" in answer) == (0, True), answer


def test_a_service_with_ckans_schema(solr: Solr) -> None:
    solr.start(SOLR_OPTS="-Ddisable.configEdit=true -Dtwo.words=yes")

    lucene = solr.get_json("admin/info/system")["lucene"]
    assert isinstance(lucene, dict)
    assert lucene["solr-spec-version"] == SOLR_VERSION
    assert 'name="ckan-2.11"' in solr.get("ckan/schema?wt=schema.xml")

    document = {"index_id": "1", "id": "a", "site_id": "default", "title": "Deformabilities of WiFi cells"}
    solr.get("ckan/update?commit=true", [document])
    for handler in ("select", "query"):
        for word in ("deformability", "cell", "wi", "a"):
            found = solr.get_json(f"ckan/{handler}?q={word}&defType=edismax&qf=title+id")["response"]
            assert isinstance(found, dict)
            assert found["numFound"] == 1, (handler, word)

    status, answer = solr.command("status", "-p", str(solr.port))
    assert (status, f'"version":"{SOLR_VERSION} ' in answer) == (0, True), answer
    assert solr.command("status")[0] == 0

    with socket.socket() as elsewhere, pytest.raises(ConnectionRefusedError):
        elsewhere.connect(("127.0.0.2", solr.port))

    assert solr.stop() == 128 + signal.SIGTERM
    assert "CoreContainer Shutting down" in solr.output()
    assert solr.command("status", "-p", str(solr.port))[0] == 1
    home = Path(solr.settings["SOLR_HOME"])
    assert not list(home.rglob("managed-schema*"))
    assert (Path(solr.settings["SOLR_LOGS_DIR"]) / "solr.log").stat().st_size > 0

    solr.start()  # what was committed is there again
    assert '"numFound":1' in solr.get("ckan/select?q=id:a&indent=false")


def test_requests_are_logged_unless_told_not_to(solr: Solr) -> None:
    solr.start(SOLR_REQUESTLOG_ENABLED="false")
    assert solr.stop() == 128 + signal.SIGTERM
    assert solr.request_logs() == []

    solr.start()  # the real script's default is true
    assert solr.stop() == 128 + signal.SIGTERM
    (log,) = solr.request_logs()
    assert re.search(r'"GET /solr/ckan/admin/ping\?wt=json HTTP/1\.1" 200', log.read_text())


def test_a_port_that_is_taken_ends_it(solr: Solr) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", solr.port))
        taken.listen()

        status, answer = solr.command("start", "-f")

    assert status == 1
    assert "did not start: " in answer


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused as root")
def test_root_is_refused_without_force(solr: Solr) -> None:
    environment = {**os.environ, "SOLR_INCLUDE": str(solr.include())}
    command = [str(solr.script), "start", "-f"]

    refused = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert refused.returncode == 1
    assert "Starting Solr as the root user is a security risk" in refused.stdout

    with socket.socket() as taken:  # it goes on as far as the port
        taken.bind(("127.0.0.1", solr.port))
        taken.listen()
        forced = subprocess.run([*command, "--force"], env=environment, capture_output=True, text=True, timeout=300)
    assert "did not start: " in forced.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "needs a command"),
        (["stop"], "the command 'stop' is not covered"),
        (["create", "-c", "ckan"], "the command 'create' is not covered"),
        (["start"], "only the foreground is covered"),
        (["start", "-f", "-p", "1234"], "the option '-p' is not covered"),
        (["status", "--short"], "the option '--short' is not covered"),
        (["status", "-p"], "-p needs one port"),
        (["version", "--verbose"], "the option '--verbose' is not covered"),
    ],
)
def test_uncovered_commands_are_refused(solr: Solr, arguments: list[str], says: str) -> None:
    status, answer = solr.command(*arguments)

    assert (status, says in answer) == (2, True), answer


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("SOLR_MODULES", "extraction", "the variable SOLR_MODULES is not covered"),
        ("GC_TUNE", "-XX:+UseZGC", "the variable GC_TUNE is not covered"),
        ("ZK_HOST", "127.0.0.1:9983", "the variable ZK_HOST is not covered"),
        ("SOLR_PORT", "8983x", "must be a port number"),
        ("SOLR_PORT", "65536", "must be a port number"),
        ("SOLR_HEAP", "512", "must be a size such as 512m"),
        ("SOLR_HOME", "home", "only absolute paths are covered"),
        ("SOLR_HOME", "/proc/none", "is not there"),
        ("SOLR_LOGS_DIR", "/proc/none", "cannot be made or written"),
        ("LOG4J_PROPS", "/nonexistent.xml", "cannot read"),
        ("SOLR_REQUESTLOG_ENABLED", "yes", "must be true or false"),
        ("SOLR_JAVA_HOME", "/nonexistent", "needs a Java 11 runtime"),
    ],
)
def test_uncovered_settings_are_refused(solr: Solr, name: str, value: str, says: str) -> None:
    status, answer = solr.command("start", "-f", **{name: value})

    assert (status, says in answer) == (2, True), answer


def test_uncovered_settings_of_the_environment_are_refused(solr: Solr) -> None:
    solr.environment = {"SOLR_DATA_HOME": "/tmp"}

    status, answer = solr.command("start", "-f")

    assert (status, "the variable SOLR_DATA_HOME is not covered" in answer) == (2, True), answer


def test_settings_must_come_from_a_file_that_can_be_read(solr: Solr) -> None:
    solr.environment = {"SOLR_INCLUDE": "/nonexistent"}
    assert "cannot read" in solr.command("start", "-f")[1]

    solr.environment = {"SOLR_INCLUDE": ""}
    assert "SOLR_INCLUDE is not set" in solr.command("start", "-f")[1]
