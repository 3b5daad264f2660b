"""A portal that a person made by CKAN's manual, and DCOR's for certificate and nginx; nothing of ours is in it.

Solr is not: CKAN's manual has it on any host, and a run builds its index anew in any case.
"""

from __future__ import annotations

from lab import inside
from tests.lab.harness import deploy
from tests.lab.harness.portal_host import FQDN, NAME

PASSWORD = "hand-made-Passw0rd"
STORAGE = "/srv/water"
CONTENT = "1,2\n3,4\n"
ABOUT = "Levels of the river Regnitz."
# What the person chose, as ckan.ini has it.
OPTIONS = {
    "ckan.site_url": f"https://{FQDN}",
    "ckan.site_title": "Water levels",
    "ckan.site_about": ABOUT,
    "ckan.locale_default": "de",
    "ckan.auth.create_user_via_web": "true",
    "ckan.storage_path": STORAGE,
    "smtp.server": "mail.example.org:587",
    "smtp.mail_from": "portal@example.org",
}

_INSTALL = """
echo LANG=C.UTF-8 > /etc/default/locale  # with a wrong one there would be no cluster
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -qq postgresql redis-server nginx supervisor openssl curl gcc libc6-dev libpq-dev libmagic1 \
  python3-dev python3-venv >/dev/null
python3 -m venv /usr/lib/ckan/default
/usr/lib/ckan/default/bin/pip -q --disable-pip-version-check install --require-hashes --no-deps -r /root/lock.txt
"""

_CONFIGURE = r"""
systemctl start postgresql redis-server
for try in $(seq 60); do if sudo -u postgres pg_isready -q; then break; fi; sleep 1; done
sudo -u postgres psql -q -c "create role ckan_default login password '$1'"
sudo -u postgres createdb -O ckan_default -E utf-8 -T template0 ckan_default
mkdir -p /etc/ckan/default "$2/storage" "$2/resources" /var/log/ckan
ini=/etc/ckan/default/ckan.ini
PATH=/usr/lib/ckan/default/bin:$PATH
ckan generate config $ini >/dev/null
ckan config-tool $ini "sqlalchemy.url=postgresql://ckan_default:$1@localhost/ckan_default"
storage=$2; content=$3; shift 3
ckan config-tool $ini "$@"
sed -i '/^SESSION_COOKIE_DOMAIN/d' $ini  # an empty one, which browsers ignore, and the tests' library does not
ckan -c $ini db init >/dev/null 2>&1
ckan -c $ini user add ana email=ana@example.org password=hand-made-user >/dev/null 2>&1
ckan -c $ini sysadmin add ana >/dev/null 2>&1
python - "$storage" "$content" 2>/dev/null < /root/publish.py
chown -R www-data "$storage" /var/log/ckan
cat > /etc/ckan/default/wsgi.py <<'.'
from ckan.cli import CKANConfigLoader
from ckan.config.middleware import make_app
application = make_app(CKANConfigLoader("/etc/ckan/default/ckan.ini").get_config())
.
cat > /etc/ckan/default/ckan-uwsgi.ini <<'.'
[uwsgi]
http = 127.0.0.1:8080
uid = www-data
gid = www-data
wsgi-file = /etc/ckan/default/wsgi.py
virtualenv = /usr/lib/ckan/default
callable = application
master = true
buffer-size = 32768
.
cat > /etc/supervisor/conf.d/ckan-uwsgi.conf <<'.'
[program:ckan-uwsgi]
command=/usr/lib/ckan/default/bin/uwsgi -i /etc/ckan/default/ckan-uwsgi.ini
stdout_logfile=/var/log/ckan/uwsgi.OUT
stderr_logfile=/var/log/ckan/uwsgi.ERR
.
"""

# What people published, with a file; without the search, which CKAN's own actions would ask.
_PUBLISH = """
import pathlib, sys, uuid
from ckan.cli import CKANConfigLoader
from ckan.config.middleware import make_app
make_app(CKANConfigLoader("/etc/ckan/default/ckan.ini").get_config())
from ckan import model
execute = model.Session.connection().execute  # not its objects: CKAN would index them
board, dataset, resource = (str(uuid.uuid4()) for _ in range(3))
execute(model.group_table.insert().values(
    id=board, name="board", title="Water board", type="organization", is_organization=True
))
execute(model.package_table.insert().values(
    id=dataset, name="regnitz", title="Regnitz", owner_org=board, private=False
))
execute(model.resource_table.insert().values(
    id=resource, package_id=dataset, name="levels", url="levels.csv", url_type="upload", position=0
))
execute(model.member_table.insert().values(
    table_name="package", table_id=dataset, group_id=board, capacity="organization"
))
model.Session.commit()
path = pathlib.Path(sys.argv[1], "resources", resource[:3], resource[3:6], resource[6:])
path.parent.mkdir(parents=True)
path.write_text(sys.argv[2])
"""

_SERVE = r"""
cat > /root/openssl.txt <<.
[ req ]
prompt = no
x509_extensions = req_ext
distinguished_name = req_distinguished_name
[ req_distinguished_name ]
commonName = $1
countryName = DE
stateOrProvinceName = Bavaria
localityName = Erlangen
organizationName = Water board
[ req_ext ]
subjectAltName = @alt_names
[ alt_names ]
IP.0 = $2
DNS.0 = $1
email.0 = admin@example.org
.
openssl req -newkey rsa:2048 -x509 -config /root/openssl.txt -days 3650 -nodes \
  -out "/etc/ssl/certs/$1.cert" -keyout "/etc/ssl/private/$1.key" 2>/dev/null
cat > /etc/nginx/sites-available/ckan <<.
server {
  listen 443 ssl;
  server_name $1;
  ssl_certificate "/etc/ssl/certs/$1.cert";
  ssl_certificate_key "/etc/ssl/private/$1.key";
  client_max_body_size 100m;
  location / {
    proxy_pass http://127.0.0.1:8080;
    proxy_set_header Host \$host;
    proxy_set_header X-Forwarded-Proto https;
  }
}
.
ln -s ../sites-available/ckan /etc/nginx/sites-enabled/ckan
systemctl restart nginx
supervisorctl update >/dev/null
for try in $(seq 120); do
  if curl -sf -o /dev/null http://127.0.0.1:8080/api/3/action/status_show; then break; fi; sleep 1
done
PATH=$PATH:/usr/lib/ckan/default/bin
for job in 1 2; do ckan -c /etc/ckan/default/ckan.ini jobs test >/dev/null 2>&1; done
ckan -c /etc/ckan/default/ckan.ini user token add ana hand-made 2>/dev/null | tail -n 1 | tr -d '\t '
"""


def make(address: str, python: str) -> str:
    """Make a portal with data on the lab's host `portal`, which is bare; return a token of its sysadmin, "ana".

    + address: of the host, as its certificate has it
    + python: version of the host's Python, as "3.11"
    """
    lock = (deploy.ROOT / f"locks/ckan-py{python}.txt").read_text()
    inside.run(NAME, ["sh", "-c", "cat > /root/lock.txt"], text=lock)
    inside.run(NAME, ["sh", "-c", "cat > /root/publish.py"], text=_PUBLISH)
    inside.run(NAME, ["sh", "-ec", _INSTALL])
    options = [f"{name}={value}" for name, value in OPTIONS.items()]
    inside.run(NAME, ["sh", "-ec", _CONFIGURE, "sh", PASSWORD, STORAGE, CONTENT, *options])
    return inside.run(NAME, ["sh", "-ec", _SERVE, "sh", FQDN, address]).stdout.strip()
