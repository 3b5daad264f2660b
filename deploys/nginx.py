"""nginx: TLS, allow-lists and caches in front of CKAN."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from operations import apt, files, service
from operations.text import render
from settings.nginx import NginxSettings
from settings.releases import Release


@deploy("nginx")
def nginx(settings: NginxSettings, release: Release) -> None:
    """Serve the portal; its certificate and key must be there already.

    + release: tells what its nginx and OpenSSL know
    """
    apt.packages(name="Install nginx", packages=["nginx", "nginx-common"])

    files.directory(name="Make nginx's cache folder", path=settings.cache_dir)
    files.directory(
        name="Make the folder of the static cache", path=f"{settings.cache_dir}/static", owner="www-data", mode=0o700
    )
    files.directory(
        name="Make the folder of uploads on their way",
        path=f"{settings.cache_dir}/body",
        owner="www-data",
        mode=0o700,
    )
    files.directory(
        name="Make the folder of downloads on their way",
        path=f"{settings.cache_dir}/proxy",
        owner="www-data",
        mode=0o700,
    )
    # First, because it claims to be the default server, too: nginx would refuse both together.
    files.absent(
        name="Remove the distribution's default site", path="/etc/nginx/sites-enabled/default", package="nginx-common"
    )
    files.install(
        name="Configure the portal's site",
        dest="/etc/nginx/sites-enabled/ckan",  # where DCOR's manual has it: a site made by hand is taken over
        text=render("nginx/site.conf.j2", settings, release=release),
        check="nginx -t",
    )

    service.follow(
        name="Serve the portal with nginx's newest configuration",
        unit="nginx.service",
        reads=["/etc/nginx", settings.certificate_path, settings.key_path],
        reload=True,
        check="nginx -t",
    )
