"""Which component goes on which group of hosts, in order.

    pyinfra inventory/production.py deploy.py --dry --diff     # what would change, and nothing else
    pyinfra inventory/production.py deploy.py                  # make it so

One explicit call per component: pyinfra tells operations apart by the lines of these calls.
"""

from pyinfra import host

from deploys.base import base
from deploys.ckan import ckan
from deploys.nginx import nginx
from deploys.postgresql import postgresql
from deploys.preflight import preflight
from deploys.redis import redis
from deploys.smoke import smoke
from deploys.solr import solr
from deploys.tls import tls
from deploys.uwsgi import uwsgi
from settings.resolve import of_inventory

settings = of_inventory(host.inventory)[host.name]
release = preflight(settings)

base(settings.base)
if settings.postgresql:
    postgresql(settings.postgresql, release)
if settings.redis:
    redis(settings.redis)
if settings.solr:
    solr(settings.solr, release)
if settings.ckan:
    ckan(settings.ckan, release)
if settings.uwsgi:
    uwsgi(settings.uwsgi, release)
if settings.tls:
    tls(settings.tls)
if settings.nginx:
    nginx(settings.nginx, release)
if settings.ckan and settings.nginx:
    smoke(settings.ckan, settings.nginx)
