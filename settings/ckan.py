"""Settings of the component ckan."""

from __future__ import annotations

import re
from typing import ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from settings.component import Component, configured, derived, secret
from settings.secret import Secret

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
    options: dict[str, str] = Field(default_factory=dict)

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

    source: Literal["pypi"] = configured("pypi", "Where CKAN comes from: pypi (an environment from our lock)")
    site_id: str = configured("default", "ckan.site_id", pattern=r"^[a-z0-9_-]+$")
    site_title: str = configured("CKAN", "Title of the site", pattern=r"^[^\n]*$")
    locale: str = configured("en", "Default language", pattern=r"^[a-zA-Z_]+$")
    plugins: tuple[str, ...] = configured(
        ("activity", "text_view", "image_view", "webpage_view"), "Plugins, in order; those of extensions follow"
    )
    default_views: tuple[str, ...] = configured(
        ("image_view", "text_view", "webpage_view"), "Views that a new resource gets"
    )
    extensions: tuple[Extension, ...] = configured((), "The site's own extensions")
    options: dict[str, str] = configured({}, "More options for ckan.ini's [app:main]; they may replace ours")
    storage_path: str = configured("/var/lib/ckan/default", "Folder of uploads", pattern=r"^/\S+$")
    webassets_path: str = configured("/var/lib/ckan/webassets", "Folder of built web assets", pattern=r"^/\S+$")
    start_seconds: int = configured(180, "Longest wait for the portal to answer at the end of a run, seconds", ge=1)
    database_leave_behind: str = configured(
        "",
        "host:port/name of the former database, to let the portal go on with an empty one and leave that one behind",
        pattern=r"^(\S+:[0-9]+/\S+)?$",
    )
    reindex_seconds: int = configured(3600, "Longest time that a rebuild of the search index may take, seconds", ge=1)
    sysadmin: str = configured("", "Name of the first sysadmin; empty: none is made", pattern=r"^([a-z0-9_-]{2,100})?$")
    sysadmin_email: str = configured("", "Its e-mail address", pattern=r"^([^@\s]+@[^@\s]+)?$")
    sysadmin_token: bool = configured(False, "Make it an API token, in /etc/ckan/default/sysadmin-token (0600, root)")
    smtp_server: str = configured("", "Mail server, host:port; empty: CKAN sends no mail", pattern=r"^\S*$")
    smtp_starttls: bool = configured(True, "Use STARTTLS")
    smtp_user: str = configured("", "User at the mail server; empty: none")
    smtp_password: Secret | None = secret("Its password; needed only with ckan_smtp_user", generated=False)
    mail_from: str = configured("", "Sender's address")
    email_to: str = configured("", "Where error reports and notices go")
    secret_key: Secret = secret("Signs sessions and API tokens; changing it invalidates them all")
    sysadmin_password: Secret | None = secret("The first sysadmin's password; needed only with ckan_sysadmin")

    fqdn: str = derived("The portal's name")
    upload_limit: int = derived("Largest upload, MiB")
    version: str = derived("Version of CKAN in the lock")
    database_host: str = derived("Where PostgreSQL is")
    database_port: int = derived("Its port")
    database_role: str = derived("CKAN's role there")
    database_name: str = derived("CKAN's database there")
    database_password: Secret = derived("The role's password")
    redis_host: str = derived("Where Redis is")
    redis_port: int = derived("Its port")
    redis_password: Secret | None = derived("Its password, where it has one")
    solr_url: str = derived("URL of CKAN's core")
    solr_schema: str = derived("SHA-256 of its schema")

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.sysadmin and not self.sysadmin_email:
            raise ValueError("ckan_sysadmin needs ckan_sysadmin_email as well")
        return self

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
