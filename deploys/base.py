"""What every host of a portal has."""

from __future__ import annotations

from pyinfra.api import deploy

from operations import apt, files, service
from operations.text import render
from settings.base import BaseSettings

MARKER = "/var/lib/ckan-deploy/host"
# For apt's own timers, too, which know no variables of a run.
_APT_PROXY = "/etc/apt/apt.conf.d/95ckan-deploy-proxy"
# mlocate became plocate; python-is-python3 as the manual has it; needrestart is in patching.
_ADMIN_TOOLS = ("aptitude", "net-tools", "plocate", "python-is-python3", "screen")


@deploy("Base")
def base(settings: BaseSettings) -> None:
    """Install what the other components build on."""
    files.directory(name="Make ckan-deploy's own folder", path="/var/lib/ckan-deploy")
    # The first write of all: from here on the host is ours, also when this run is killed.
    files.install(name="Note that this host is ckan-deploy's", dest=MARKER, text=render("base/marker.j2"))
    files.install(
        name="Keep packages from starting services during a run",
        dest="/usr/sbin/policy-rc.d",
        text=render("base/policy-rc.d.j2"),
        mode=0o755,
    )
    if settings.proxy:
        files.install(name="Have apt use the proxy", dest=_APT_PROXY, text=render("base/apt-proxy.j2", settings))
    else:
        files.absent(name="Have apt use no proxy of ours", path=_APT_PROXY)
    apt.packages(name="Install base packages", packages=["ca-certificates", "curl", "logrotate", "python3", "sudo"])
    # Enabled by its package, but policy-rc.d, which knows no difference, keeps it from being started before a reboot.
    service.follow(name="Rotate logs daily", unit="logrotate.timer")
    if settings.admin_tools:
        apt.packages(name="Install tools for administrators", packages=_ADMIN_TOOLS)
        service.follow(name="Keep the index of files new", unit="plocate-updatedb.timer")
    files.directory(name="Make the journal's configuration folder", path="/etc/systemd/journald.conf.d")
    files.install(
        name="Limit the journal",
        dest="/etc/systemd/journald.conf.d/ckan-deploy.conf",
        text=render("base/journald.conf.j2", settings),
    )
    service.follow(
        name="Run the journal with its newest configuration",
        unit="systemd-journald.service",
        reads=["/etc/systemd/journald.conf.d"],
    )
