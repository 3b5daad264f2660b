"""Twenty mistakes of settings, hosts and groups that do not fit together: here and in group_data/."""

_PORTAL = ("data", {"address": "192.0.2.20", "solr_heap": "1g"})
_DATABASE = ("database", {"address": "192.0.2.20"})
_SEARCH = (
    "search",
    {
        "address": "127.0.0.1",
        "secrets_folder": "secrets/search",
    },
)

portal = [_PORTAL]
postgresql = [_DATABASE]
redis = [_PORTAL, _SEARCH]
solr = [_SEARCH]
object_storage = [_PORTAL, _SEARCH]
