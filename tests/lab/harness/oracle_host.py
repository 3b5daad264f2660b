"""Runs on a lab host as root, from standard input, and prints the host's state as JSON; see oracle.py.

What changes by itself is left out: logs, indexes, data, caches, sessions, and the services that timers start.
"""

import grp
import hashlib
import json
import os
import pwd
import re
import subprocess
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


def run(*command: str) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout


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


def psql(query: str, database: str = "postgres") -> list[str]:
    return run("runuser", "-u", "postgres", "--", "psql", "-XAtq", "-d", database, "-c", query).splitlines()


def databases() -> dict[str, Any]:
    if not os.path.exists("/usr/bin/psql"):
        return {}
    return {
        "roles": psql(
            "select rolname, rolsuper, rolcreatedb, rolcreaterole, rolcanlogin, rolreplication, rolbypassrls,"
            " md5(coalesce(rolpassword, '')) from pg_authid where rolname !~ '^pg_' order by 1"
        ),
        "databases": psql(
            "select datname, pg_get_userbyid(datdba), pg_encoding_to_char(encoding) from pg_database order by 1"
        ),
        "tables": psql(
            "select tablename, tableowner from pg_tables where schemaname = 'public' order by 1", "ckan_default"
        ),
        "settings": psql("select name, setting from pg_settings where source = 'configuration file' order by 1"),
    }


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
        with open("/etc/default/solr.in.sh") as file:
            settings = dict(re.findall(r"^(SOLR_\w+)=(.*)$", file.read(), re.M))
        base = f"http://{settings['SOLR_JETTY_HOST']}:{settings['SOLR_PORT']}/solr/"
        schema = run("curl", "-s", base + "ckan/schema?wt=schema.xml")
        found["solr schema"] = (
            hashlib.sha256(repr(ordered(ElementTree.fromstring(schema))).encode()).hexdigest()
            if "<schema" in schema
            else schema
        )
        cores = run("curl", "-s", base + "admin/cores?action=STATUS&wt=json")
        found["solr cores"] = sorted(json.loads(cores)["status"]) if cores else []
    if os.path.exists("/etc/redis/redis.conf"):
        with open("/etc/redis/redis.conf") as file:
            password = re.search(r"^requirepass +(\S+)", file.read(), re.M)
        os.environ["REDISCLI_AUTH"] = password.group(1) if password else ""
        lines = run("redis-cli", "config", "get", "*").splitlines()  # each process has an order of its own
        found["redis"] = dict(zip(lines[::2], lines[1::2], strict=True))
    if os.path.exists("/usr/sbin/nft"):
        found["nftables"] = run("nft", "list", "ruleset")
    return found


def packages() -> dict[str, str]:
    lines = run("dpkg-query", "-W", "-f", "${Package}:${Architecture}\t${db:Status-Abbrev}${Version}\n").splitlines()
    return dict(line.split("\t") for line in lines)


state = {
    "files": files(),
    "accounts": accounts(),
    "packages": packages(),
    "units": units(),
    "processes": processes(),
    "databases": databases(),
    "services": services(),
    "sockets": {"listening": sorted({line.split()[3] for line in run("ss", "-Hltn").splitlines()})},
}
print(json.dumps(state))
