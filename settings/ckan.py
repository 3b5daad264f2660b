"""Settings of the component ckan."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from settings.ckan_deb import DEB_RELEASES, DEBS
from settings.ckan_extension import Extension, OptionName, all_options, all_plugins
from settings.component import Component, configured, derived, secret
from settings.flavours import FLAVOURS, Flavour
from settings.secret import Secret

INI_PATH = "/etc/ckan/default/ckan.ini"
TRUE = ("true", "yes", "on", "y", "t", "1")  # what CKAN takes for true in an option, in lower case
_Word = Annotated[str, Field(pattern=r"^\S+$")]
_PATH = "an absolute path without blanks"
_MAIL = "an e-mail address, or empty"
_MAIL_PATTERN = r"^([^@\s]+@[^@\s]+)?$"
_HOST = "loopback, or the address of its host where that is another one"


class CkanSettings(Component):
    """CKAN itself: environment, configuration, database and search schema."""

    prefix: ClassVar[str] = "ckan"
    group: ClassVar[str] = "portal"

    source: Literal["pypi", "deb"] = configured(
        "pypi",
        "Where CKAN comes from: pypi (an environment from our lock), or deb (CKAN's own package, and our lock in it)",
    )
    deb_url: str = configured(
        "",
        "Where CKAN's package is downloaded, or a mirror; empty: the release that CKAN's packagers made of the "
        "lock's CKAN, where one is known",
        allowed="a URL, or empty",
        example=DEB_RELEASES.format(tag="v20260429.1"),
        pattern=r"^(https?://\S+)?$",
    )
    deb_sha256: str = configured(
        "",
        "SHA-256 of that package; must be set with ckan_source = deb",
        allowed="64 hexadecimal digits in lower case, or empty",
        example="0" * 64,
        pattern=r"^([0-9a-f]{64})?$",
    )
    site_id: str = configured(
        "default", "ckan.site_id", allowed="lower case letters, digits, _ and -", pattern=r"^[a-z0-9_-]+$"
    )
    site_title: str | None = configured(
        None,
        "Title of the site; None: the flavour's, CKAN or DCOR",
        allowed="one line, or None",
        example="Open data of Example",
        pattern=r"^[^\n]*$",
    )
    locale: str | None = configured(
        None,
        "Default language; None: the flavour's, en or en_US (which has DCOR's own words)",
        allowed="a language as en or pt_BR, or None",
        example="de",
        pattern=r"^[a-zA-Z_]+$",
    )
    plugins: tuple[_Word, ...] | None = configured(
        None,
        "Plugins, in order; those of extensions follow; None: the flavour's",
        allowed="a list of names without blanks, or None",
        example=FLAVOURS["ckan"].plugins,
    )
    default_views: tuple[_Word, ...] | None = configured(
        None,
        "Views that a new resource gets; None: the flavour's",
        allowed="a list of names without blanks, or None",
        example=FLAVOURS["ckan"].views,
    )
    extensions: tuple[Extension, ...] = configured(
        (),
        "The site's own extensions",
        allowed="a list of dictionaries with requirements, plugins and options",
        example=[{"requirements": [f"ckanext-pages==0.5.2 --hash=sha256:{'0' * 64}"], "plugins": ["pages"]}],
    )
    options: dict[OptionName, str] = configured(
        {},
        "More options for ckan.ini's [app:main]; they may replace ours",
        allowed="a dictionary of texts, their names of letters, digits and _.-",
        example={"ckan.site_about": "About us"},
    )
    storage_path: str | None = configured(
        None,
        "Folder of uploads; None: the flavour's, /var/lib/ckan/default or /data/ckan",
        allowed=f"{_PATH}, or None",
        example="/srv/ckan",
        pattern=r"^/\S+$",
    )
    webassets_path: str = configured(
        "/var/lib/ckan/webassets", "Folder of built web assets", allowed=_PATH, pattern=r"^/\S+$"
    )
    start_seconds: int = configured(
        180, "Longest wait for the portal to answer at the end of a run", unit="seconds", ge=1
    )
    database_leave_behind: str = configured(
        "",
        "Former database, to leave it behind although the new one does not hold its data",
        allowed="what the refused run names: host:port/name, the number of a cluster or number/name; or empty",
        example="127.0.0.1:5432/ckan_default",
        pattern=r"^(\S+:[0-9]+/\S+|[0-9]+(/\S+)?|/\S+)?$",
    )
    reindex_seconds: int = configured(
        3600, "Longest time that a rebuild of the search index may take", unit="seconds", ge=1
    )
    sysadmin: str = configured(
        "",
        "Name of the first sysadmin, who is made once; what becomes of the account is yours; empty: none is made",
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
    api_token_own_secret: bool = configured(
        False,
        "Sign API tokens with the secret ckan_api_token_secret, not with ckan_secret_key: for a portal that was taken "
        "over with its tokens",
        example=True,
    )
    api_token_secret: Secret | None = secret(
        "Signs API tokens; needed only with ckan_api_token_own_secret",
        rotation="The next run writes ckan.ini and restarts CKAN, which is away for one start. All API tokens are "
        "void: people make new ones, the run makes the sysadmin's (ckan_sysadmin_token).",
    )
    sysadmin_password: Secret | None = secret(
        "The first sysadmin's password; needed only with ckan_sysadmin",
        rotation="The next run gives it to that sysadmin, also in place of one that they chose on the portal. Nothing "
        "is restarted, and who is logged in remains so; API tokens stay valid.",
    )

    flavour: Literal["ckan", "dcor"] = derived("The portal's flavour", "the portal's", "portal_flavour")
    fqdn: str = derived("The portal's name", "the portal's", "portal_fqdn")
    upload_limit: int = derived("Largest upload", "the portal's", "portal_upload_limit", unit="MiB")
    version: str = derived("Version of CKAN", "the one in locks/", "locks")
    develop: bool = derived("Whether DCOR's packages come from git", "so on a development host", "develop_enabled")
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

    program_variables: dict[str, str] = derived(
        "Environment variables of CKAN's programs", "what the flavour's programs need", "portal_flavour"
    )

    @property
    def program_environment(self) -> dict[str, str]:
        """Environment of every program that runs CKAN: uWSGI, workers, scheduled jobs. No secret is in it."""
        return {"CKAN_INI": INI_PATH, "PYTHONUNBUFFERED": "1", **self.program_variables}

    @property
    def token_secret(self) -> Secret:
        """What signs API tokens."""
        return self.api_token_secret or self.secret_key

    @property
    def deb_address(self) -> str:
        """Where CKAN's package is downloaded; empty where none is known."""
        return self.deb_url or DEBS.get(self.version, "")

    @property
    def of_flavour(self) -> Flavour:
        """What the portal's flavour has where the site says nothing."""
        return FLAVOURS[self.flavour]

    @property
    def title(self) -> str:
        """The site's title in force."""
        return self.of_flavour.title if self.site_title is None else self.site_title

    @property
    def language(self) -> str:
        """The default language in force."""
        return self.locale or self.of_flavour.language

    @property
    def storage(self) -> str:
        """The folder of uploads in force."""
        return self.storage_path or self.of_flavour.storage

    @property
    def views(self) -> tuple[str, ...]:
        """The views in force that a new resource gets."""
        return self.of_flavour.views if self.default_views is None else self.default_views

    @property
    def database_location(self) -> str:
        """Where CKAN's database is: host:port/name."""
        return f"{self.database_host}:{self.database_port}/{self.database_name}"

    @property
    def all_plugins(self) -> tuple[str, ...]:
        """Plugins of CKAN and of the extensions, in order, each once."""
        return all_plugins(self.of_flavour.plugins if self.plugins is None else self.plugins, self.extensions)

    @property
    def all_options(self) -> dict[str, str]:
        """Options of the extensions and of the site, sorted by name; the site's win."""
        return all_options(self.options, self.extensions)
