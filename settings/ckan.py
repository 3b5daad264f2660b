"""Settings of the component ckan."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from settings.component import Component, configured, derived, secret
from settings.secret import Secret

_OptionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
_Word = Annotated[str, Field(pattern=r"^\S+$")]
_PATH = "an absolute path without blanks"
_MAIL = "an e-mail address, or empty"
_MAIL_PATTERN = r"^([^@\s]+@[^@\s]+)?$"
_HOST = "loopback, or the address of its host where that is another one"
_PINNED = re.compile(r"^[A-Za-z0-9._-]+==\S+( +--hash=sha256:[0-9a-f]{64})+$")


class Extension(BaseModel):
    """One of the site's own CKAN extensions.

    + requirements: lines of a lock file, ``name==version --hash=sha256:…``: the extension and whatever it needs
      beyond CKAN's own lock
    + plugins: names for ``ckan.plugins``, after CKAN's own, in this order
    + options: lines for ckan.ini's ``[app:main]``
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    requirements: tuple[str, ...] = ()
    plugins: tuple[str, ...] = ()
    options: dict[_OptionName, str] = Field(default_factory=dict)

    @field_validator("requirements")
    @classmethod
    def _pinned(cls, lines: tuple[str, ...]) -> tuple[str, ...]:
        for line in lines:
            if not _PINNED.match(line):
                raise ValueError(f"not pinned with a hash: {line!r}; write `name==version --hash=sha256:…`")
        return lines


class CkanSettings(Component):
    """CKAN itself: environment, configuration, database and search schema."""

    prefix: ClassVar[str] = "ckan"
    group: ClassVar[str] = "portal"

    source: Literal["pypi"] = configured("pypi", "Where CKAN comes from: pypi (an environment from our lock)")
    site_id: str = configured(
        "default", "ckan.site_id", allowed="lower case letters, digits, _ and -", pattern=r"^[a-z0-9_-]+$"
    )
    site_title: str = configured(
        "CKAN", "Title of the site", allowed="one line", example="Open data of Example", pattern=r"^[^\n]*$"
    )
    locale: str = configured("en", "Default language", allowed="a language as en or pt_BR", pattern=r"^[a-zA-Z_]+$")
    plugins: tuple[_Word, ...] = configured(
        ("activity", "text_view", "image_view", "webpage_view"),
        "Plugins, in order; those of extensions follow",
        allowed="a list of names without blanks",
    )
    default_views: tuple[_Word, ...] = configured(
        ("image_view", "text_view", "webpage_view"),
        "Views that a new resource gets",
        allowed="a list of names without blanks",
    )
    extensions: tuple[Extension, ...] = configured(
        (),
        "The site's own extensions",
        allowed="a list of dictionaries with requirements, plugins and options",
        example=[{"requirements": [f"ckanext-pages==0.5.2 --hash=sha256:{'0' * 64}"], "plugins": ["pages"]}],
    )
    options: dict[_OptionName, str] = configured(
        {},
        "More options for ckan.ini's [app:main]; they may replace ours",
        allowed="a dictionary of texts, their names of letters, digits and _.-",
        example={"ckan.site_about": "About us"},
    )
    storage_path: str = configured("/var/lib/ckan/default", "Folder of uploads", allowed=_PATH, pattern=r"^/\S+$")
    webassets_path: str = configured(
        "/var/lib/ckan/webassets", "Folder of built web assets", allowed=_PATH, pattern=r"^/\S+$"
    )
    start_seconds: int = configured(
        180, "Longest wait for the portal to answer at the end of a run", unit="seconds", ge=1
    )
    database_leave_behind: str = configured(
        "",
        "Former database, to let the portal go on with an empty one and leave that one behind",
        allowed="host:port/name, or empty",
        example="127.0.0.1:5432/ckan_default",
        pattern=r"^(\S+:[0-9]+/\S+)?$",
    )
    reindex_seconds: int = configured(
        3600, "Longest time that a rebuild of the search index may take", unit="seconds", ge=1
    )
    sysadmin: str = configured(
        "",
        "Name of the first sysadmin; empty: none is made",
        allowed="2 to 100 lower case letters, digits, _ and -, or empty",
        example="admin",
        pattern=r"^([a-z0-9_-]{2,100})?$",
    )
    sysadmin_email: str = configured(
        "", "Its e-mail address", allowed=_MAIL, example="admin@example.org", pattern=_MAIL_PATTERN
    )
    sysadmin_token: bool = configured(
        False, "Make it an API token, in /etc/ckan/default/sysadmin-token (0600, root)", example=True
    )
    smtp_server: str = configured(
        "",
        "Mail server; empty: CKAN sends no mail",
        allowed="host or host:port, or empty",
        example="mail.example.org:587",
        pattern=r"^([^\s:/]+(:[0-9]{1,5})?)?$",
    )
    smtp_starttls: bool = configured(True, "Use STARTTLS", example=False)
    smtp_user: str = configured("", "User at the mail server; empty: none", example="portal")
    smtp_password: Secret | None = secret(
        "Its password; needed only with ckan_smtp_user",
        generated=False,
        rotation="The next run writes ckan.ini and restarts CKAN, which is away for one start. Have the mail server "
        "take the new password first: from then until the run's end CKAN's e-mails fail.",
    )
    mail_from: str = configured(
        "", "Sender's address", allowed=_MAIL, example="portal@example.org", pattern=_MAIL_PATTERN
    )
    email_to: str = configured(
        "",
        "Where error reports and notices go",
        allowed=_MAIL,
        example="operators@example.org",
        pattern=_MAIL_PATTERN,
    )
    secret_key: Secret = secret(
        "Signs sessions and API tokens; changing it invalidates them all",
        rotation="The next run writes ckan.ini and restarts CKAN, which is away for one start. Everybody must log in "
        "again, and all API tokens are void: people make new ones, the run makes the sysadmin's (ckan_sysadmin_token).",
    )
    sysadmin_password: Secret | None = secret(
        "The first sysadmin's password; needed only with ckan_sysadmin",
        rotation="The next run gives it to that sysadmin, also in place of one that they chose on the portal. Nothing "
        "is restarted, and who is logged in remains so; API tokens stay valid.",
    )

    fqdn: str = derived("The portal's name", "the portal's", "portal_fqdn")
    upload_limit: int = derived("Largest upload", "the portal's", "portal_upload_limit", unit="MiB")
    version: str = derived("Version of CKAN", "the one in locks/", "locks")
    database_host: str = derived("Where PostgreSQL is", _HOST, "address groups")
    database_port: int = derived("Its port", "PostgreSQL's", "postgresql_port")
    database_role: str = derived("CKAN's role there", "PostgreSQL's", "postgresql_role")
    database_name: str = derived("CKAN's database there", "PostgreSQL's", "postgresql_database")
    database_password: Secret = derived("The role's password", "PostgreSQL's", "postgresql_password")
    redis_host: str = derived("Where Redis is", _HOST, "address groups")
    redis_port: int = derived("Its port", "Redis's", "redis_port")
    redis_password: Secret | None = derived(
        "Its password", "Redis's, where that has a host of its own", "redis_password groups"
    )
    solr_url: str = derived(
        "URL of CKAN's core", "made of Solr's address, port and core", "solr_bind solr_port solr_core"
    )
    solr_schema: str = derived("SHA-256 of its schema", "Solr's", "solr_schema_sha256")

    @property
    def database_location(self) -> str:
        """Where CKAN's database is: host:port/name."""
        return f"{self.database_host}:{self.database_port}/{self.database_name}"

    @property
    def all_plugins(self) -> tuple[str, ...]:
        """Plugins of CKAN and of the extensions, in order, each once."""
        ours = self.plugins + tuple(plugin for extension in self.extensions for plugin in extension.plugins)
        return tuple(dict.fromkeys(ours))

    @property
    def all_options(self) -> dict[str, str]:
        """Options of the extensions and of the site, sorted by name; the site's win."""
        merged: dict[str, str] = {}
        for extension in self.extensions:
            merged.update(extension.options)
        merged.update(self.options)
        return dict(sorted(merged.items()))
