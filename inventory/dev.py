"""A development portal: everything on one host, DCOR's packages from git, robots excluded.

    pyinfra inventory/dev.py deploy.py
    python -m tasks.develop inventory/dev.py            # newer code; docs/environments.md
    python -m tasks.test_extensions inventory/dev.py    # the packages' own tests

Each host has an `address`, by which the other hosts and its certificate know it; `ssh_hostname` is the name by which
this machine reaches it, and `ssh_known_hosts_file` holds its host key (`ssh-keyscan`, compared by another way).
"""

_ALL_IN_ONE = (
    "portal-dev",
    {
        "address": "192.0.2.10",
        "ssh_hostname": "portal-dev.example.org",
    },
)

portal = [_ALL_IN_ONE]
postgresql = [_ALL_IN_ONE]
redis = [_ALL_IN_ONE]
solr = [_ALL_IN_ONE]
object_storage = [_ALL_IN_ONE]
