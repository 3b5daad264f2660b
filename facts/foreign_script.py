"""What is sent to a host to find a portal there that is not ours: Python for the host's own, and for CKAN's."""

from __future__ import annotations

from facts.sent import LOCATION

# As CKAN's processes' account, since the environment is somebody else's: root runs nothing of it.
# Standard input: two lines, the URLs of the database and of Redis.
ASK = r"""
import glob, importlib.util, json, sys
database, queue = (sys.stdin.readline().strip() for _ in range(2))
answer = {"datasets": None, "users": None, "jobs": None, "defaults": {}}
try:
    import psycopg2
    cursor = psycopg2.connect(database, connect_timeout=10).cursor()
    cursor.execute("select count(*) from package where state = 'active'")
    answer["datasets"] = cursor.fetchone()[0]
    cursor.execute("select count(*) from \"user\" where state = 'active'")
    answer["users"] = cursor.fetchone()[0]
except Exception:
    pass
try:
    import redis
    client = redis.from_url(queue, socket_timeout=5)
    answer["jobs"] = sum(client.llen(key) for key in client.scan_iter("rq:queue:*"))
except Exception:
    pass
try:
    import yaml
    for package in ("ckan", "ckanext"):
        for folder in importlib.util.find_spec(package).submodule_search_locations:
            if package == "ckan":  # which declares a function for it
                answer["defaults"]["ckan.resource_formats"] = folder + "/config/resource_formats.json"
            for path in glob.glob(folder + "/**/*config_declaration.yaml", recursive=True):
                for group in yaml.safe_load(open(path)).get("groups", []):
                    for option in group.get("options", []):
                        default = option.get("default", option.get("placeholder"))
                        if default is None and option.get("type") == "bool":
                            default = False
                        if default is not None:
                            words = map(str, default if isinstance(default, list) else [default])
                            answer["defaults"][option["key"]] = " ".join(words)
except Exception:
    pass
print(json.dumps(answer))
"""

# Root's, with the distribution's Python. Standard input: the ckan.ini that the run would write; empty on a host that
# gets none. Only names of options leave the host: a value may be somebody's secret.
FIND = (
    LOCATION
    + r"""
import configparser, glob, json, os, pwd, re, subprocess, sys
marks, ini, database, port, ask = sys.argv[1].split(), *sys.argv[2:6]
wanted = sys.stdin.read()

def text(path, size=10**6):
    try:
        with open(path, errors="replace") as file:
            return file.read(size)
    except OSError:
        return ""

def say(**found):
    print(json.dumps({"ours": False, "portal": None, "database": False, **found}))
    sys.exit()

if any(map(os.path.lexists, marks)) or "Written by ckan-deploy" in text(ini, 500):
    say(ours=True)

def options(source, here=""):
    parser = configparser.ConfigParser({"here": here, "__file__": here + "/ckan.ini"}, strict=False)
    parser.optionxform = str
    try:
        parser.read_string(source)
        section = parser["app:main"]
    except (configparser.Error, KeyError):
        return {}
    found = {}
    for name in section:
        if name in ("here", "__file__"):
            continue
        try:
            found[name] = section[name]
        except configparser.Error:
            found[name] = section.get(name, raw=True)
    return found

def portal():
    said = "".join(map(text, glob.glob("/etc/supervisor/conf.d/*.conf") + glob.glob("/etc/systemd/system/*.service")))
    paths = [ini, *sorted(glob.glob("/etc/ckan/*.ini") + glob.glob("/etc/ckan/*/*.ini"))]
    paths += re.findall(r"/[^\s\"'=,:]+\.ini\b", said)
    for path in dict.fromkeys(paths):
        found = options(text(path), os.path.dirname(path))
        if "sqlalchemy.url" in found:
            return path, found
    return "", {}

def ask_ckan(theirs):
    # A command line of theirs names their environment; else it is where CKAN's manual has it.
    said = "".join(map(text, glob.glob("/etc/supervisor/conf.d/*.conf")))
    places = re.findall(r"(/[^\s\"'=,:]+)/bin/(?:ckan|uwsgi|python3?|gunicorn)\b", said) + glob.glob("/usr/lib/ckan/*")
    user = "www-data" if "www-data" in {entry.pw_name for entry in pwd.getpwall()} else "nobody"
    lines = "%s\n%s\n" % (theirs["sqlalchemy.url"], theirs.get("ckan.redis.url") or "redis://localhost:6379/0")
    for place in dict.fromkeys(places):
        python = place + "/bin/python"
        if not os.path.exists(python):
            continue
        command = ["setpriv", "--reuid", user, "--regid", str(pwd.getpwnam(user).pw_gid), "--clear-groups", python]
        command += ["-I", "-c", ask]
        clean = {"PATH": "/usr/bin:/bin"}
        done = subprocess.run(command, input=lines, capture_output=True, text=True, cwd="/", env=clean)
        try:
            answer = json.loads(done.stdout.splitlines()[-1])
        except (IndexError, ValueError):
            continue
        if answer["defaults"]:
            return answer
    return {"datasets": None, "users": None, "jobs": None, "defaults": {}}

def same(one, other):
    def plain(value):
        value = " ".join(value.split()).rstrip("/")
        truths = {"true": "1", "yes": "1", "on": "1", "false": "0", "no": "0", "off": "0", "none": ""}
        return truths.get(value.lower(), value)
    return plain(one) == plain(other)

# What this deployment has in a place or form of its own; and what depends on secrets, which are compared below.
BY_US = re.compile(
    r"use|debug|sqlalchemy\.(url|pool.*|echo)|solr_(url|user|password|timeout)|ckan\.redis\.url|ckan\.webassets\..*"
    r"|cache_dir|beaker\..*|who\..*|full_stack|testing"
    r"|WTF_CSRF_SECRET_KEY|SECRET_KEY|api_token\.jwt\.(en|de)code\.secret|ckan\.storage_path|SESSION_(COOKIE_)?PATH"
)

# Of these, more is no loss.
LISTS = {"ckan.plugins", "ckan.views.default_views"}

def key_of_tokens(found, way):
    value = found.get("api_token.jwt.%scode.secret" % way, "")
    return value if value not in ("", "string:") else "string:" + key_of_sessions(found)

def key_of_sessions(found):
    return found.get("SECRET_KEY") or found.get("beaker.session.secret") or ""

def place(url, port, path):
    try:
        return location(url or "", port, path)
    except ValueError:  # nobody could follow it
        return ""

def files(folder):
    return sum(len(names) for _, _, names in os.walk(folder)) if folder.startswith("/") else 0

def certificates():
    found = {}
    for path in glob.glob("/etc/nginx/sites-enabled/*") + glob.glob("/etc/nginx/conf.d/*.conf"):
        for certificate in re.findall(r"^\s*ssl_certificate\s+\"?([^;\"\s]+)", text(path), re.M):
            command = ["openssl", "x509", "-in", certificate, "-noout", "-fingerprint", "-sha256"]
            done = subprocess.run(command, capture_output=True, text=True)
            if not done.returncode:
                found[certificate] = done.stdout.strip().rpartition("=")[2].replace(":", "").lower()
    return found

def database_there():
    if not os.path.isdir("/var/lib/postgresql") or not database:
        return False
    query = "select count(*) from pg_database where datname = '%s'" % database.replace("'", "''")
    try:
        done = subprocess.run(
            ["runuser", "-u", "postgres", "--", "psql", "-XAt", "-p", port, "-c", query, "postgres"],
            capture_output=True, text=True, cwd="/", timeout=30,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.stdout.strip() == "1"

path, theirs = portal()
if not path:
    say(database=database_there())
mine, asked = options(wanted), ask_ckan(theirs)
known, lost = asked["defaults"], []
for name, value in theirs.items():
    if BY_US.fullmatch(name) or not value.strip():
        continue
    default = re.sub(r"%\(([^)]+)\)s", lambda found: theirs.get(found.group(1), ""), known.get(name, ""))
    if name in known and same(value, default):
        continue  # CKAN's own, as `ckan generate config` writes it: nobody chose it
    would_be = mine.get(name, default)
    more = name in LISTS and set(value.split()) <= set(would_be.split())
    if not more and not same(value, would_be):
        lost.append(name)
storage = theirs.get("ckan.storage_path", "").rstrip("/")
say(database=database_there(), portal={
    "ini": path,
    "datasets": asked["datasets"], "users": asked["users"], "jobs": asked["jobs"],
    "database": place(theirs["sqlalchemy.url"], 5432, "/"),
    "database_kept": place(theirs["sqlalchemy.url"], 5432, "/") == place(mine.get("sqlalchemy.url"), 5432, "/"),
    "storage": storage,
    "files": files(storage),
    "storage_kept": not storage or os.path.realpath(storage) == os.path.realpath(mine.get("ckan.storage_path") or "/"),
    "sessions_kept": key_of_sessions(theirs) == key_of_sessions(mine),
    "tokens_kept": all(key_of_tokens(theirs, way) == key_of_tokens(mine, way) for way in ("en", "de")),
    "queue_kept": place(theirs.get("ckan.redis.url"), 6379, "/0") == place(mine.get("ckan.redis.url"), 6379, "/0"),
    "options": sorted(lost),
    "certificates": certificates(),
})
"""
)
