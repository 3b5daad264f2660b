"""Settings of the component postgresql."""

from __future__ import annotations

from typing import ClassVar

from settings.component import Component, configured, derived, secret
from settings.secret import Secret


class PostgresqlSettings(Component):
    """PostgreSQL: CKAN's database."""

    prefix: ClassVar[str] = "postgresql"
    group: ClassVar[str] = "postgresql"

    port: int = configured(5432, "TCP port", ge=1024, le=65535)
    role: str = configured(
        "ckan_default",
        "CKAN's role",
        allowed="lower case letters, digits and _, at most 63, and not PostgreSQL's own (postgres, pg_…)",
        pattern=r"^(?!postgres$|pg_)[a-z_][a-z0-9_]{0,62}$",
    )
    database: str = configured(
        "ckan_default",
        "CKAN's database",
        allowed="lower case letters, digits and _, at most 63, and not PostgreSQL's own (postgres, template0 and 1)",
        pattern=r"^(?!(postgres|template0|template1)$)[a-z_][a-z0-9_]{0,62}$",
    )
    # What stands in a URL as it is (RFC 3986, 2.3): CKAN 2.11's migrations fail on a database URL with a % in it, and
    # show the URL in their traceback.
    password: Secret = secret(
        "Password of CKAN's role",
        pattern=r"[A-Za-z0-9._~-]+",
        allowed="letters, digits and - . _ ~ only: CKAN's migrations fail with others",
        rotation="The next run gives the role its new password, then writes ckan.ini and restarts CKAN. Connections "
        "that are open go on; new ones fail from the first step to the last, which is the time of the run's steps "
        "between them and of one start of CKAN. PostgreSQL itself is not restarted.",
    )
    max_connections: int = configured(100, "Most connections at once", ge=20, le=5000)
    shared_buffers: str = configured(
        "128MB", "Memory for its cache", allowed="a size in kB, MB or GB", pattern=r"^[1-9][0-9]*(kB|MB|GB)$"
    )
    bind: tuple[str, ...] = derived(
        "Addresses to listen on", "loopback, and the host's address where the portal is another host", "address groups"
    )
    clients: tuple[str, ...] = derived(
        "Addresses of the other hosts that use it", "the portal's address where that is another host", "address groups"
    )
    leave_behind: str = derived(
        "Former cluster or database that is left behind", "the one that is named", "ckan_database_leave_behind"
    )
    tests: bool = derived(
        "Whether CKAN's role may use a database of DCOR's tests, too", "so on a development host", "develop_enabled"
    )

    @property
    def databases(self) -> tuple[str, ...]:
        """Databases that CKAN's role may use; ``tasks.test_extensions`` makes and drops the one of the tests."""
        return (self.database, f"{self.database}_test") if self.tests else (self.database,)
