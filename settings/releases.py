"""The one table of differences between the operating systems that are supported.

Ubuntu 24.04 is what ckan-deploy is for; Debian 12 and 13 bracket its versions and are what the lab runs.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Release:
    """What a component must know about a host's operating system.

    ``libmagic_package``: its name tells of the move to 64-bit times.
    ``nginx_http2_directive``: nginx wants ``http2 on`` (since 1.25.1) instead of ``listen … http2``.
    ``tls_groups``: key exchange groups of Mozilla's intermediate configuration that its OpenSSL has.
    """

    codename: str
    name: str
    postgresql: str
    python: str
    java_package: str
    libmagic_package: str
    nginx_http2_directive: bool
    tls_groups: str

    @property
    def java_home(self) -> str:
        """Folder of the Java that ``java_package`` brings; what /usr/bin/java leads to is the host's choice."""
        return f"/usr/lib/jvm/java-{self.java_package.split('-')[1]}-openjdk-amd64"


_CLASSICAL = "X25519:prime256v1:secp384r1"

RELEASES = {
    release.codename: release
    for release in (
        Release(
            codename="noble",
            name="Ubuntu 24.04",
            postgresql="16",
            python="3.12",
            java_package="openjdk-17-jre-headless",
            libmagic_package="libmagic1t64",
            nginx_http2_directive=False,
            tls_groups=_CLASSICAL,
        ),
        Release(
            codename="bookworm",
            name="Debian 12",
            postgresql="15",
            python="3.11",
            java_package="openjdk-17-jre-headless",
            libmagic_package="libmagic1",
            nginx_http2_directive=False,
            tls_groups=_CLASSICAL,
        ),
        Release(
            codename="trixie",
            name="Debian 13",
            postgresql="17",
            python="3.13",
            java_package="openjdk-21-jre-headless",
            libmagic_package="libmagic1t64",
            nginx_http2_directive=True,
            tls_groups=f"X25519MLKEM768:{_CLASSICAL}",
        ),
    )
}
