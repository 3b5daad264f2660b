"""Runs on a lab host as root, from standard input: prints where what runs is not what is configured, as JSON.

Independent of the product's own facts: a process must be younger than all it reads, and services are asked for values.
A question that fails ends this program: no answer must not be taken for agreement.
"""

import glob
import json
import os
import re
import subprocess
import sys
import time

READS = {
    r"^nginx: worker process(?! is shutting)": ["/etc/nginx", "/etc/ssl/certs/*.cert", "/etc/ssl/private/*.key"],
    r"^/usr/bin/redis-server": ["/etc/redis/redis.conf", "/etc/systemd/system/redis-server.service.d"],
    r"^/usr/lib/postgresql/\d+/bin/postgres -D": [
        "/etc/postgresql/*/main/conf.d",
        "/etc/postgresql/*/main/postgresql.conf",
        "/etc/systemd/system/postgresql@*.d",
    ],
    r"^\S*java .*solr": [
        "/etc/default/solr.in.sh",
        "/etc/systemd/system/solr.service",
        "/opt/solr",
        "/var/solr/log4j2.xml",
        "/var/solr/data/solr.xml",
        "/var/solr/data/*/conf",
        "/var/solr/data/*/core.properties",
    ],
    r"^/usr/lib/ckan/default/bin/uwsgi": [
        "/etc/ckan/default/*.ini",
        "/etc/ckan/default/wsgi.py",
        "/usr/lib/ckan/default",
    ],
    r"/bin/ckan .*jobs worker": ["/etc/ckan/default/ckan.ini", "/usr/lib/ckan/default"],
}


PATIENCE = 60  # seconds in which a service that has just been started must answer


def run(*command: str) -> str:
    deadline = time.monotonic() + PATIENCE
    while True:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
        if time.monotonic() >= deadline:
            sys.exit(f"no answer: `{' '.join(command)}`: exit status {done.returncode}: {done.stdout}{done.stderr}")
        time.sleep(0.5)


def newest(path: str) -> float:
    found = os.lstat(path)
    times = [found.st_ctime, found.st_mtime]
    if os.path.isdir(path) and not os.path.islink(path):
        for folder, folders, names in os.walk(path):
            for name in folders + names:
                found = os.lstat(os.path.join(folder, name))
                times += [found.st_ctime, found.st_mtime]
    return max(times)


def booted() -> float:
    """When this machine's clock of uptime began; whoever is kept waiting between two clocks reads an earlier time."""
    return max(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) for _ in range(100))


def processes() -> dict[int, tuple[float, str]]:
    found = {}
    tick = os.sysconf("SC_CLK_TCK")
    boot = booted()
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                words = file.read().replace("\0", " ").strip()
            with open(f"/proc/{pid}/stat") as file:
                started = int(file.read().rpartition(")")[2].split()[19]) / tick
        except OSError:
            continue
        found[int(pid)] = (boot + started, words)
    return found


def ages() -> list[str]:
    problems = []
    there = processes()
    for pattern, globs in READS.items():
        mine = [(started, words) for started, words in there.values() if re.search(pattern, words)]
        files = [path for one in globs for path in glob.glob(one)]
        if not mine or not files:
            problems.append(f"no process {pattern!r}, or nothing that it reads")
        for started, words in mine:
            old = [path for path in files if newest(path) > started + 0.03]
            if old:
                problems.append(f"older than {', '.join(old)}: {words[:60]}")
    return problems


def postgresql() -> list[str]:
    (file,) = glob.glob("/etc/postgresql/*/main/conf.d/ckan-deploy.conf")
    port = run("sed", "-n", "s/^port = //p", file).strip()

    def ask(query: str) -> str:
        return run("runuser", "-u", "postgres", "--", "psql", "-XAtq", f"-p{port}", "-c", query).strip()

    problems = [
        f"PostgreSQL: not in force: {line}"
        for line in ask(
            "select name, setting from pg_file_settings where error is not null"
            " or not applied and sourcefile like '%ckan-deploy%'"
            " union select name, setting from pg_settings where pending_restart"
        ).splitlines()
    ]
    loaded = float(ask("select extract(epoch from pg_conf_load_time())"))
    problems += [
        f"PostgreSQL: {path} was not loaded"
        for path in glob.glob("/etc/postgresql/*/main/pg_hba.conf")
        if newest(path) > loaded
    ]
    return problems


def redis() -> list[str]:
    with open("/etc/redis/redis.conf") as file:
        wanted = dict(re.findall(r"^(port|maxmemory|maxmemory-policy|appendonly) +(\S+)", file.read(), re.M))
    with open("/etc/redis/redis.conf") as file:
        password = re.search(r'^user (ckan) on ">([^"]+)"', file.read(), re.M)
    assert password, "Redis has no user with a password"
    os.environ["REDISCLI_AUTH"] = password[2]
    # With -e an answer that is an error is a failure.
    lines = run("redis-cli", "-e", "--user", password[1], "-p", wanted["port"], "config", "get", "*").splitlines()
    found = dict(zip(lines[::2], lines[1::2], strict=True))
    units = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
    if size := re.fullmatch(r"(\d+)([kmg]b)", wanted["maxmemory"]):
        wanted["maxmemory"] = str(int(size[1]) * units[size[2]])
    return [
        f"Redis: {name} is {found.get(name)}, configured is {value}"
        for name, value in wanted.items()
        if found.get(name) != value
    ]


def solr() -> list[str]:
    with open("/etc/default/solr.in.sh") as file:
        settings = dict(re.findall(r"^(SOLR_\w+)=(.*)$", file.read(), re.M))
    problems = []
    for core in glob.glob("/var/solr/data/*/core.properties"):
        name = os.path.basename(os.path.dirname(core))
        base = f"http://{settings['SOLR_JETTY_HOST']}:{settings['SOLR_PORT']}/solr/{name}/"
        with open(os.path.join(os.path.dirname(core), "conf/schema.xml")) as file:
            schema = re.search(r'<schema name="([^"]+)"', file.read())
        said = run("curl", "-sSf", base + "schema/name?wt=json")
        if not schema or schema[1] not in said:
            problems.append(f"Solr: core {name} serves schema {said.strip()[:200]!r}")
    return problems


print(json.dumps([*ages(), *postgresql(), *redis(), *solr()]))
