"""A production portal: the portal with Redis on one host, the database and the search on hosts of their own.

    python -m settings.secrets generate inventory/production.py     # its secrets: docs/secrets.md
    pyinfra inventory/production.py deploy.py --dry --diff
    pyinfra inventory/production.py deploy.py

Each of the groups portal, postgresql, redis and solr has one host; one host may be in several. Each host has an
`address`, by which the other hosts reach its services; `ssh_hostname` is the name by which this machine reaches it.
"""

_PORTAL = ("data", {"address": "192.0.2.20", "ssh_hostname": "data.example.org"})
_DATABASE = ("database", {"address": "192.0.2.21", "ssh_hostname": "database.example.org"})
_SEARCH = ("search", {"address": "192.0.2.22", "ssh_hostname": "search.example.org"})

portal = [_PORTAL]
postgresql = [_DATABASE]
redis = [_PORTAL]
solr = [_SEARCH]
object_storage: list[str] = []
