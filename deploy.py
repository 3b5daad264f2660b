"""Which component goes on which group of hosts, in order.

    pyinfra inventory/production.py deploy.py --dry --diff     # what would change, and nothing else
    pyinfra inventory/production.py deploy.py                  # make it so

One explicit call per component: pyinfra tells operations apart by the lines of these calls.
"""

from pyinfra import host

from deploys.base import base
from deploys.ckan import ckan
from deploys.firewall import firewall
from deploys.nginx import nginx
from deploys.order import services_first
from deploys.postgresql import postgresql
from deploys.preflight import preflight
from deploys.redis import redis
from deploys.smoke import smoke
from deploys.solr import solr
from deploys.tls import tls
from deploys.uwsgi import uwsgi
from operations import lock
from settings.resolve import of_inventory

settings = of_inventory(host.inventory)[host.name]
release = preflight(settings)

lock.hold(name="Keep other runs away")

base(settings=settings.base)
firewall(settings=settings.firewall)
if settings.postgresql:
    postgresql(settings=settings.postgresql, release=release)
if settings.redis:
    redis(settings=settings.redis)
if settings.solr:
    solr(settings=settings.solr, release=release)
services_first()
if settings.ckan:
    ckan(settings=settings.ckan, release=release)
if settings.uwsgi:
    uwsgi(settings=settings.uwsgi, release=release)
if settings.tls:
    tls(settings=settings.tls)
if settings.nginx:
    nginx(settings=settings.nginx, release=release)
if settings.ckan and settings.nginx:
    smoke(ckan=settings.ckan, nginx=settings.nginx)
