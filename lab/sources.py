"""The controller's way to packages, carried into the hosts: apt archives and settings, certificates, pip.

No host name of a registry stands in this code: all of it is read from the controller's configuration.
"""

import configparser
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lab import system
from lab.errors import LabError

FAMILY = {"bookworm": "debian", "trixie": "debian", "noble": "ubuntu"}
RELEASES = tuple(FAMILY)
# Other suites that tell whose archive an entry of the controller's sources is.
SUITES = {
    "debian": {"bullseye", "bookworm", "trixie", "forky", "sid", "stable", "oldstable", "testing"},
    "ubuntu": {"focal", "jammy", "noble", "resolute"},
}
CARRIED_APT = ("Acquire::Check-", "Acquire::http", "Acquire::https", "Acquire::Retries", "Acquire::ForceIPv")
CARRIED_PIP = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")
LOCAL_CERTIFICATES = Path("/usr/local/share/ca-certificates")
CERTIFICATE_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class Entry:
    """One apt source of type deb."""

    uri: str
    suite: str
    components: str
    signed_by: str

    def line(self) -> str:
        """The entry in apt's one-line style."""
        option = f"[signed-by={self.signed_by}] " if self.signed_by.startswith("/") else ""
        return f"deb {option}{self.uri} {self.suite} {self.components}"


def _deb822(text: str) -> list[Entry]:
    entries = []
    for stanza in text.split("\n\n"):
        fields: dict[str, str] = {}
        key = ""
        for line in stanza.splitlines():
            if line.startswith("#") or not line.strip():
                continue
            if line[0] in " \t":
                fields[key] += " " + line.strip()
            else:
                key, _, value = line.partition(":")
                key = key.strip().lower()
                fields[key] = value.strip()
        if "deb" not in fields.get("types", "").split() or fields.get("enabled", "yes").lower() == "no":
            continue
        entries += [
            Entry(uri, suite, fields.get("components", ""), fields.get("signed-by", ""))
            for uri in fields.get("uris", "").split()
            for suite in fields.get("suites", "").split()
        ]
    return entries


def _one_line(text: str) -> list[Entry]:
    entries = []
    for line in text.splitlines():
        line = line.partition("#")[0].strip()
        if not line.startswith("deb ") and not line.startswith("deb\t"):
            continue
        rest = line[3:].strip()
        options = ""
        if rest.startswith("["):
            options, _, rest = rest[1:].partition("]")
        signed = [word.partition("=")[2] for word in options.split() if word.lower().startswith("signed-by=")]
        words = rest.split()
        if len(words) >= 3:
            entries.append(Entry(words[0], words[1], " ".join(words[2:]), signed[0] if signed else ""))
    return entries


def configured(folder: Path = Path("/etc/apt")) -> list[Entry]:
    """All deb entries of the controller's apt configuration, in apt's order."""
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    entries: list[Entry] = []
    for file in files:
        if not file.is_file():
            continue
        if file.suffix == ".sources":
            entries += _deb822(file.read_text())
        elif file.suffix == ".list":
            entries += _one_line(file.read_text())
    return entries


def _suites(family: str) -> set[str]:
    known = set(SUITES[family])
    system_release = Path("/etc/os-release")
    if system_release.is_file():
        fields = dict(line.split("=", 1) for line in system_release.read_text().splitlines() if "=" in line)
        if fields.get("ID", "").strip('"') == family and "VERSION_CODENAME" in fields:
            known.add(fields["VERSION_CODENAME"].strip('"'))
    return known


def archive(release: str) -> list[str]:
    """The apt lines of a release, made from the controller's entries for the same distribution.

    Raises LabError when the controller has no archive of that distribution.
    """
    known = _suites(FAMILY[release])
    lines: list[str] = []
    for entry in configured():
        codename, dash, pocket = entry.suite.partition("-")
        if codename in known and pocket != "backports":
            line = Entry(entry.uri, release + dash + pocket, entry.components, entry.signed_by).line()
            if line not in lines:
                lines.append(line)
    if not lines:
        raise LabError(
            f"{release} needs the archive of {FAMILY[release].capitalize()}, "
            "and none of this machine's apt sources is one"
        )
    return lines


def default_release() -> str:
    """noble where the controller's own sources are Ubuntu's, else bookworm."""
    try:
        archive("noble")
    except LabError:
        return "bookworm"
    return "noble"


def apt_settings() -> list[str]:
    """The controller's apt settings that decide whether an archive is reached and accepted."""
    lines = [line for line in system.run(["apt-config", "dump"]).splitlines() if line.startswith(CARRIED_APT)]
    for scheme in ("http", "https"):
        proxy = os.environ.get(f"{scheme}_proxy")
        if proxy and not any(line.startswith(f"Acquire::{scheme}::Proxy") for line in lines):
            lines.append(f'Acquire::{scheme}::Proxy "{proxy}";')
    lines.append('Acquire::Languages "none";')
    return lines


def certificates() -> dict[str, str]:
    """The certificates that the controller's administrator added: file name -> PEM text."""
    if not LOCAL_CERTIFICATES.is_dir():
        return {}
    return {file.name: file.read_text() for file in sorted(LOCAL_CERTIFICATES.rglob("*.crt")) if file.is_file()}


def pip_settings() -> str:
    """The text of /etc/pip.conf for the hosts."""
    settings = {"cert": CERTIFICATE_BUNDLE, "disable-pip-version-check": "true"}
    parser = configparser.ConfigParser(interpolation=None)
    parser.read("/etc/pip.conf")
    for key in CARRIED_PIP:
        value = os.environ.get("PIP_" + key.upper().replace("-", "_"))
        value = value or parser.get("global", key, fallback=None)
        if value:
            settings[key] = value
    return "[global]\n" + "".join(f"{key} = {value}\n" for key, value in sorted(settings.items()))


def destinations() -> set[str]:
    """The IPv4 addresses of the resolvers, archives, indexes and proxies that are configured, where known."""
    places = [entry.uri for entry in configured()] + pip_settings().split()
    places += [word.strip('";') for line in apt_settings() for word in line.split()]
    names = {host for place in places if "://" in place and (host := urlsplit(place).hostname)}
    lines = Path("/etc/resolv.conf").read_text().splitlines() if Path("/etc/resolv.conf").is_file() else []
    names |= {line.split()[1] for line in lines if line.startswith("nameserver ")}
    found: set[str] = set()
    for name in names:
        with suppress(OSError):
            found |= {str(item[4][0]) for item in socket.getaddrinfo(name, None, socket.AF_INET)}
    return found


def resolver() -> str:
    """The text of resolv.conf for the hosts; raises LabError when only a loopback resolver is known."""
    for path in (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf")):
        text = path.read_text() if path.is_file() else ""
        servers = [line.split()[1] for line in text.splitlines() if line.startswith("nameserver ")]
        if servers and not all(server.startswith("127.") or server == "::1" for server in servers):
            return text
    raise LabError(
        "hosts cannot use this machine's resolver because it listens on loopback only: "
        "name a real one in /etc/resolv.conf"
    )
