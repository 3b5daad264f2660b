"""What the plans would install on Ubuntu 24.04 is what ``noble-packages.tsv`` lists: names that noble's archive has.

The lab's other releases prove the deploys where noble's archive cannot be reached; a wrong name would only show there.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from settings.releases import RELEASES
from tests.plan import fake

LIST = Path(__file__).parent / "noble-packages.tsv"
NOBLE = RELEASES["noble"]
INVENTORIES = ("dev", "production")
MORE = (
    "base_admin_tools=True",
    "patching_smtp_server=mail.example.org",
    "patching_mail_from=hosts@example.org",
    "patching_mail_to=operators@example.org",
)
SOURCES = (
    ("ckan_source=pypi",),
    (
        "ckan_source=deb",
        "ckan_deb_url=http://192.0.2.1/python-ckan.deb",
        f"ckan_deb_sha256={'a' * 64}",
        "develop_enabled=False",  # it has packages of its own lock
    ),
)
# Marks of Debian, of PostgreSQL's and Docker's archives, of private ones, and of Ubuntu's other releases.
FOREIGN = re.compile(r"deb\d+u|pgdg|ppa|[+~]noble|sury|~bpo|(~|0ubuntu0\.)(?!24\.04)\d\d\.\d\d")


class Row(NamedTuple):
    version: str
    evidence: str
    seen: str

    @property
    def upstream(self) -> tuple[int, ...]:
        """The numbers of the upstream version."""
        numbers = re.match(r"(?:\d+:)?(\d+(?:\.\d+)*)", self.version)
        assert numbers, self.version
        return tuple(map(int, numbers.group(1).split(".")))


def _rows() -> list[list[str]]:
    return [line.split("\t") for line in LIST.read_text().splitlines() if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def listed() -> dict[str, Row]:
    return {name: Row(*rest) for name, *rest in _rows()}


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, set[str]]]:
    """Packages of each inventory's bare noble hosts, with every option on that installs more, from either source."""
    found: dict[str, dict[str, set[str]]] = {}
    for name in INVENTORIES:
        folder = tmp_path_factory.mktemp(name)
        inventory = fake.fake_inventory(fake.ROOT / "inventory" / f"{name}.py", folder, "noble")
        for source in SOURCES:
            notes = folder / source[0].replace("=", "-")
            options = [word for line in (*MORE, *source) for word in ("--data", line)]
            for host, packages in fake.packages(inventory, notes, *options).items():
                found.setdefault(name, {}).setdefault(host, set()).update(packages)
    return found


@pytest.mark.parametrize("name", INVENTORIES)
def test_only_listed_packages_are_installed(
    name: str, planned: dict[str, dict[str, set[str]]], listed: dict[str, Row]
) -> None:
    wanted = {"aptitude", "msmtp"}
    assert all(wanted <= packages for packages in planned[name].values()), "not every option is on"
    unknown = [
        f"{package} on host {host}"
        for host, packages in sorted(planned[name].items())
        for package in sorted(packages - set(listed))
    ]
    assert not unknown, (
        f"inventory {name} would install on noble what {LIST.name} does not list: {', '.join(unknown)}. "
        "Look whether noble has it, and add it with where that was seen."
    )


def test_only_installed_packages_are_listed(planned: dict[str, dict[str, set[str]]], listed: dict[str, Row]) -> None:
    used = {package for hosts in planned.values() for packages in hosts.values() for package in packages}
    unused = sorted(set(listed) - used)
    assert not unused, f"{LIST.name} lists what no plan installs: {', '.join(unused)}"


def test_packages_are_installed_in_one_way_only() -> None:
    """Else a package could be installed that the plans above do not tell."""
    folders = ("deploys", "facts", "operations", "templates")
    sources = [fake.ROOT / "deploy.py", *(p for f in folders for p in (fake.ROOT / f).rglob("*") if p.is_file())]
    other_ways = re.compile(rb"apt-get|aptitude (-\S+ )*install|dpkg (-\S+ )*(-i|--install)|pyinfra\.operations")
    found = {str(p.relative_to(fake.ROOT)) for p in sources if p.suffix != ".pyc" and other_ways.search(p.read_bytes())}
    # The fact has apt simulate; the last is for the one package that no archive has.
    assert found == {"operations/apt.py", "facts/apt.py", "operations/deb.py"}


def test_each_row_is_complete_and_noble_s() -> None:
    rows = _rows()
    assert [row[0] for row in rows] == sorted({row[0] for row in rows}), "rows are not sorted, or a name is twice there"
    for row in rows:
        assert len(row) == 4 and all(row), f"not package, version, evidence, where seen: {row}"
        assert row[2] in ("named", "titled", "archive"), f"unknown evidence: {row}"
        assert not FOREIGN.search(row[1]), f"{row[0]} {row[1]} is not a version of noble's archive"
    assert "://" not in LIST.read_text(), "where a package was seen is told without addresses"


def test_table_of_releases_names_noble_s_packages(listed: dict[str, Row]) -> None:
    server, client = f"postgresql-{NOBLE.postgresql}", f"postgresql-client-{NOBLE.postgresql}"
    unknown = {server, client, NOBLE.java_package, NOBLE.libmagic_package} - set(listed)
    assert not unknown, f"settings/releases.py has for noble what {LIST.name} does not list: {unknown}"
    for package in (server, client, "libpq5", "libpq-dev"):
        assert listed[package].upstream[0] == int(NOBLE.postgresql), package
    java = re.fullmatch(r"openjdk-(\d+)-jre-headless", NOBLE.java_package)
    assert java and listed[NOBLE.java_package].upstream[0] == int(java[1])


@pytest.mark.parametrize("package", ["python3", "python3-dev", "python3-venv"])
def test_table_of_releases_has_noble_s_python(package: str, listed: dict[str, Row]) -> None:
    assert ".".join(map(str, listed[package].upstream[:2])) == NOBLE.python


def test_table_of_releases_knows_noble_s_nginx(listed: dict[str, Row]) -> None:
    version = listed["nginx"].upstream
    assert version[:2] == (1, 24)
    assert version >= (1, 19, 4)  # knows ssl_reject_handshake
    assert NOBLE.nginx_http2_directive == (version >= (1, 25, 1))


def test_table_of_releases_knows_noble_s_openssl(listed: dict[str, Row]) -> None:
    assert ("X25519MLKEM768" in NOBLE.tls_groups) == (listed["openssl"].upstream >= (3, 5))
