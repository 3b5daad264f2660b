"""Which component goes on which group of hosts, in order.

    pyinfra inventory/production.py deploy.py --dry --diff     # what would change, and nothing else
    pyinfra inventory/production.py deploy.py                  # make it so

One explicit call per component: pyinfra tells operations apart by the lines of these calls.
"""

from pyinfra import host

from deploys.base import base
from deploys.ckan import ckan
from deploys.dcor import dcor, no_dcor
from deploys.develop import develop, develop_no_more
from deploys.firewall import firewall
from deploys.nginx import nginx
from deploys.object_storage import known_ca, no_object_storage, object_storage, trusted_no_more
from deploys.order import portal_first, services_first
from deploys.patching import patching
from deploys.postgresql import postgresql
from deploys.preflight import preflight
from deploys.redis import redis
from deploys.scheduled import scheduled
from deploys.smoke import smoke
from deploys.solr import solr
from deploys.tls import provided_no_more, tls
from deploys.uwsgi import uwsgi
from deploys.workers import workers
from operations import lock
from settings.resolve import of_inventory

settings = of_inventory(host.inventory)[host.name]
release = preflight(settings)

lock.hold(name="Keep other runs away")

base(settings=settings.base)
patching(settings=settings.patching)
firewall(settings=settings.firewall)
if settings.postgresql:
    postgresql(settings=settings.postgresql, release=release)
if settings.redis:
    redis(settings=settings.redis)
if settings.solr:
    solr(settings=settings.solr, release=release)
if settings.tls:
    tls(settings=settings.tls)
if settings.minio:
    object_storage(settings=settings.minio, release=release)
services_first()
if settings.object_storage:
    known_ca(settings=settings.object_storage)
if settings.develop:
    develop(settings=settings.develop)
if settings.ckan:
    ckan(settings=settings.ckan, release=release, dcor=settings.dcor, storage=settings.object_storage)
if settings.ckan and settings.dcor:
    dcor(settings=settings.dcor, ckan=settings.ckan)
elif settings.ckan:
    no_dcor()
if settings.ckan and settings.uwsgi:
    uwsgi(settings=settings.uwsgi, ckan=settings.ckan, release=release, dcor=settings.dcor)
if settings.ckan and settings.workers:
    workers(settings=settings.workers, ckan=settings.ckan)
if settings.ckan and settings.scheduled:
    scheduled(settings=settings.scheduled, ckan=settings.ckan, dcor=settings.dcor)
if settings.nginx:
    nginx(settings=settings.nginx, release=release)
portal_first()
if not settings.minio:
    no_object_storage()
if settings.ckan:
    trusted_no_more(settings=settings.object_storage)
if settings.tls:
    provided_no_more(settings=settings.tls)
if settings.ckan and not settings.develop:
    develop_no_more()
if settings.ckan and settings.nginx and settings.workers:
    smoke(ckan=settings.ckan, nginx=settings.nginx, workers=settings.workers)
