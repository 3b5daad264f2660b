"""Runs on a lab host as root, from standard input, and prints the host's state as JSON; see oracle.py.

What changes by itself is left out: logs, indexes, data, caches, sessions, and the services that timers start.

A question that fails ends this program: an answer that is missing must never be equal to another one. A service that
does not run is not asked; that it does not run is then what is noted of it.
"""

import grp
import hashlib
import json
import os
import pwd
import re
import subprocess
import sys
import time
from typing import Any
from xml.etree import ElementTree

ROOTS = [
    "/etc",
    "/opt",
    "/root",
    "/usr/bin/ckan",
    "/usr/bin/dcor",
    "/data",
    "/cache",
    "/usr/sbin/policy-rc.d",
    "/usr/lib/ckan",
    "/usr/lib/ckan-deploy",
    "/srv/minio",
    "/usr/local",
    "/home",
    "/var/lib/ckan-deploy",
    "/var/cache/ckan-deploy",
    "/var/solr",
    "/var/lib/ckan",
    "/run/ckan-deploy",
    "/var/cache/nginx",
    "/var/spool/cron",
]
NOISE = re.compile(
    r"^/(data|cache)/[^/]+/|^/srv/minio/|^/var/solr/logs/|^/var/solr/data/[^/]+/data(/|$)|^/var/lib/ckan/[^/]+/|/__pycache__(/|$)|^/var/cache/nginx/"
    r"|^/run/ckan-deploy(/run\.|$)|^/root/\.|^/home/[^/]+/\.|^/etc/(mtab|resolv\.conf|hosts|hostname|machine-id|\.updated)"
)
# Services that timers and logins start.
TIMED = re.compile(
    r"^(apt-|dpkg-db|man-db|fstrim|logrotate|e2scrub|user@|user-runtime|session|phpsessionclean|update-notifier|motd"
    r"|ckan-scheduled-|ssh@|sshd@|polkit|packagekit|run-|systemd-(tmpfiles|hostnamed|timedated|localed|update))"
)
SERVICE_USERS = ("www-data", "solr", "redis", "postgres", "minio-user")
PATIENCE = 60  # seconds in which a service that has just been started must answer
NOT_ACTIVE = "it is not active"
# systemd's folders for services with a /tmp of their own, which come and go with them.
PRIVATE = re.compile(r"^/(var/)?tmp/systemd-private-")


def run(*command: str, patience: float = 0) -> str:
    deadline = time.monotonic() + patience
    while True:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return done.stdout
        if time.monotonic() >= deadline:
            sys.exit(f"no answer: `{' '.join(command)}`: exit status {done.returncode}: {done.stdout}{done.stderr}")
        time.sleep(0.5)


def active(unit: str) -> bool:
    return subprocess.run(["systemctl", "is-active", "--quiet", unit], check=False).returncode == 0


def describe(path: str) -> dict[str, Any]:
    s = os.lstat(path)
    try:
        owner = pwd.getpwuid(s.st_uid).pw_name
        group = grp.getgrgid(s.st_gid).gr_name
    except KeyError:
        owner, group = str(s.st_uid), str(s.st_gid)
    found: dict[str, Any] = {"mode": oct(s.st_mode), "owner": owner, "group": group}
    if os.path.islink(path):
        found["target"] = os.readlink(path)
    elif os.path.isfile(path):
        with open(path, "rb") as file:
            found["sha256"] = hashlib.sha256(file.read()).hexdigest()
        found["mtime"] = s.st_mtime_ns
    return found


def files() -> dict[str, Any]:
    found = {}
    for root in ROOTS:
        if os.path.lexists(root) and not NOISE.search(root):
            found[root] = describe(root)
        for folder, folders, names in os.walk(root):
            folders[:] = [f for f in folders if not NOISE.search(os.path.join(folder, f))]
            for name in folders + names:
                path = os.path.join(folder, name)
                if not NOISE.search(path):
                    found[path] = describe(path)
    return found


def units() -> dict[str, Any]:
    properties = "Id,InvocationID,ActiveState,UnitFileState,MainPID,NRestarts"
    found = {}
    for block in run("systemctl", "show", "*.service", "ckan-scheduled-*.timer", "-p", properties).split("\n\n"):
        unit: dict[str, Any] = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if unit.get("Id") and (unit["Id"].endswith(".timer") or not TIMED.match(unit["Id"])):
            found[unit.pop("Id")] = unit
    return found


def processes() -> dict[str, Any]:
    found = {}
    for line in run("ps", "-eo", "pid=,user=,args=").splitlines():
        pid, user, rest = line.split(None, 2)
        # A backend per connection comes and goes; nginx's cache loader ends a minute after the start.
        if user in SERVICE_USERS and "postgres: " not in rest and "nginx: cache loader" not in rest:
            with open(f"/proc/{pid}/stat") as file:
                started = file.read().rpartition(")")[2].split()[19]
            found[pid] = f"{user} {started} {rest}"
    return found


def accounts() -> dict[str, Any]:
    """Who may log in as what, and who belongs to which group; numbers and order depend on which package came first."""
    found: dict[str, Any] = {}
    with open("/etc/shadow") as file:
        passwords = dict(line.split(":")[:2] for line in file)
    for user in pwd.getpwall():
        password = passwords.get(user.pw_name, "")
        found[f"user {user.pw_name}"] = {
            "group": grp.getgrgid(user.pw_gid).gr_name,
            "home": user.pw_dir,
            "shell": user.pw_shell,
            "system": user.pw_uid < 1000,
            "password": password if password.startswith(("!", "*")) else "of its own" if password else "none",
        }
    for group in grp.getgrall():
        found[f"group {group.gr_name}"] = sorted(group.gr_mem)
    return found


def psql(port: str, query: str, database: str = "postgres") -> list[str]:
    command = ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-p", port, "-d", database, "-c", query]
    return run("runuser", "-u", "postgres", "--", *command, patience=PATIENCE).splitlines()


def databases() -> dict[str, Any]:
    if not os.path.exists("/usr/bin/pg_lsclusters"):
        return {}
    clusters = [line.split() for line in run("pg_lsclusters", "--no-header").splitlines()]
    found: dict[str, Any] = {"clusters": [[version, name, port] for version, name, port, *_ in clusters]}
    for version, name, port, *_ in clusters:
        if not active(f"postgresql@{version}-{name}.service"):
            found["state"] = NOT_ACTIVE
            continue
        found["roles"] = psql(
            port,
            "select rolname, rolsuper, rolcreatedb, rolcreaterole, rolcanlogin, rolreplication, rolbypassrls,"
            " md5(coalesce(rolpassword, '')) from pg_authid where rolname !~ '^pg_' order by 1",
        )
        found["databases"] = psql(
            port, "select datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding) from pg_database order by 1"
        )
        if any(line.startswith("ckan_default|") for line in found["databases"]):
            tables = "select tablename, tableowner from pg_tables where schemaname = 'public' order by 1"
            found["tables"] = psql(port, tables, "ckan_default")
        found["settings"] = psql(
            port, "select name, setting from pg_settings where source = 'configuration file' order by 1"
        )
    return found


def ordered(element: Any) -> Any:
    """What an XML element says, whatever the order of attributes and declarations: each Java process has its own.

    The order within an analyzer is what it does, so it is kept.
    """
    children = [ordered(child) for child in element]
    text = (element.text or "").strip()
    return (
        element.tag,
        sorted(element.attrib.items()),
        text,
        children if element.tag == "analyzer" else sorted(children),
    )


def services() -> dict[str, Any]:
    found: dict[str, Any] = {}
    if os.path.exists("/etc/default/solr.in.sh"):
        found |= solr() if active("solr.service") else {"solr": NOT_ACTIVE}
    if os.path.exists("/etc/redis/redis.conf"):
        found["redis"] = redis() if active("redis-server.service") else NOT_ACTIVE
    if os.path.exists("/usr/sbin/nft"):
        found["nftables"] = run("nft", "list", "ruleset")
    return found


def solr() -> dict[str, Any]:
    with open("/etc/default/solr.in.sh") as file:
        settings = dict(re.findall(r"^(SOLR_\w+)=(.*)$", file.read(), re.M))
    base = f"http://{settings['SOLR_JETTY_HOST']}:{settings['SOLR_PORT']}/solr/"
    cores = json.loads(curl(base + "admin/cores?action=STATUS&wt=json"))
    found: dict[str, Any] = {"solr cores": sorted(cores["status"]), "solr's bad cores": cores.get("initFailures", {})}
    if "ckan" in cores["status"]:
        schema = ElementTree.fromstring(curl(base + "ckan/schema?wt=schema.xml"))
        assert schema.tag == "schema", schema.tag
        found["solr schema"] = hashlib.sha256(repr(ordered(schema)).encode()).hexdigest()
    return found


def curl(url: str) -> str:
    return run("curl", "--silent", "--show-error", "--fail", url, patience=PATIENCE)


def redis() -> dict[str, str]:
    with open("/etc/redis/redis.conf") as file:
        text = file.read()
    password = re.search(r'^user (ckan) on ">([^"]+)"', text, re.M)
    port = re.search(r"^port +(\d+)", text, re.M)
    os.environ["REDISCLI_AUTH"] = password.group(2) if password else ""
    user = ("--user", password.group(1)) if password else ()
    # With -e an answer that is an error is a failure. Each process has an order of its own.
    command = ("redis-cli", "-e", *user, "-p", port.group(1) if port else "6379", "config", "get", "*")
    lines = run(*command, patience=PATIENCE).splitlines()
    found = dict(zip(lines[::2], lines[1::2], strict=True))
    assert "maxmemory" in found, lines
    return found


def listening(option: str) -> list[str]:
    return sorted({line.split()[3] for line in run("ss", option).splitlines()})


def temporary() -> dict[str, Any]:
    found = {}
    for root in ("/tmp", "/var/tmp"):
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if not PRIVATE.match(os.path.join(folder, name))]
            for name in folders + names:
                path = os.path.join(folder, name)
                try:
                    found[path] = describe(path)
                except FileNotFoundError:
                    continue  # it came and went
    return found


def packages() -> dict[str, str]:
    lines = run("dpkg-query", "-W", "-f", "${Package}:${Architecture}\t${db:Status-Abbrev}${Version}\n").splitlines()
    return dict(line.split("\t") for line in lines)


if sys.argv[1:] == ["files"]:
    print(json.dumps(files()))
    sys.exit()
state = {
    "files": files(),
    "accounts": accounts(),
    "packages": packages(),
    "units": units(),
    "processes": processes(),
    "databases": databases(),
    "services": services(),
    "sockets": {name: listening(option) for name, option in (("listening", "-Hltn"), ("UDP", "-Hlun"))},
    "temporary files": temporary(),
}
print(json.dumps(state))
