"""Automatic updates as apt, unattended-upgrades, needrestart and msmtp themselves see their configuration."""

from __future__ import annotations

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lab import inside, mirror
from tests import issued
from tests.lab.harness import deploy, host_files, variants
from tests.lab.harness.mail_server import sink
from tests.lab.harness.portal_host import NAME, PortalHost

pytestmark = pytest.mark.portal("dcor")

PASSWORD = 'a "quoted" %# \\ pass-word'
# What needrestart's own main program does with its configuration, and then tells of two units.
_EVALUATE = r"""
our %nrconf = (restart => 'i'); our $LOGPREF = '';
eval do { local $/; open my $fh, '/etc/needrestart/needrestart.conf' or die; <$fh> }; die $@ if $@;
my $left = 0;
for my $re (keys %{$nrconf{override_rc}}) { $left++ if $ARGV[0] =~ /$re/ && !$nrconf{override_rc}->{$re} }
print "$nrconf{restart} $left\n";
"""
# unattended-upgrades' own functions: which origins it takes.
_ORIGINS = r"""
import importlib.machinery, importlib.util, json
loader = importlib.machinery.SourceFileLoader("uu", "/usr/bin/unattended-upgrade")
uu = importlib.util.module_from_spec(importlib.util.spec_from_loader("uu", loader)); loader.exec_module(uu)
print(json.dumps(uu.get_allowed_origins()))
"""


def test_apt_takes_our_values(converged: PortalHost) -> None:
    dump = converged.run("apt-config", "dump")
    for line in (
        'APT::Periodic::Update-Package-Lists "1";',
        'APT::Periodic::Unattended-Upgrade "1";',
        'Unattended-Upgrade::MailReport "only-on-error";',
        'Unattended-Upgrade::Automatic-Reboot "false";',
        'Unattended-Upgrade::Automatic-Reboot-Time "02:00";',
    ):
        assert line in dump.splitlines()
    for timer in ("apt-daily.timer", "apt-daily-upgrade.timer"):
        assert converged.run("systemctl", "is-active", timer) == "active\n"
        assert "2099-01-01" in converged.run("systemctl", "show", "-p", "TimersCalendar", timer)


def test_unattended_upgrades_takes_the_security_origin_and_no_other_archive_s(converged: PortalHost) -> None:
    done = inside.run(NAME, ["unattended-upgrade", "--dry-run", "-d"])
    said = done.stdout + done.stderr
    assert "Allowed origins are:" in said and "Traceback" not in said
    origins = json.loads(converged.run("python3", "-c", _ORIGINS))
    assert any("Security" in origin for origin in origins), origins
    assert all(origin.startswith(("origin=Debian,", "Ubuntu:")) for origin in origins), origins


def test_needrestart_restarts_what_uses_an_updated_library(converged: PortalHost) -> None:
    """The library is replaced by a copy of itself, as a package would do it."""
    evaluate = ["perl", "-e", _EVALUATE]
    assert converged.run(*evaluate, "supervisor.service") == "a 0\n"
    assert converged.run(*evaluate, "ckan-scheduled-something.service") == "a 1\n"
    assert converged.run(*evaluate, "apt-daily.service") == "a 1\n"
    pids = "systemctl show --value -p MainPID redis-server supervisor"
    before = converged.run("sh", "-c", pids).split()
    replace = (
        "for unit in redis-server supervisor; do pid=$(systemctl show --value -p MainPID $unit); "
        "lib=$(grep -o '/[^ ]*/lib\\(z\\|ssl\\)\\.so[^ ]*' /proc/$pid/maps | head -n 1); "
        'test -n "$lib"; cp -a "$lib" "$lib.new"; mv -f "$lib.new" "$lib"; done'
    )
    converged.run("sh", "-ec", replace)
    listed = converged.run("needrestart", "-b", "-r", "l")
    assert "NEEDRESTART-SVC: redis-server.service" in listed
    converged.run("sh", "-c", "DEBIAN_FRONTEND=noninteractive needrestart </dev/null")
    after = converged.run("sh", "-c", pids).split()
    assert all(one != other for one, other in zip(before, after, strict=True)), (before, after)
    converged.wait_until_up()


def test_mail_arrives_and_everything_goes_when_it_is_switched_off(converged: PortalHost, tmp_path: Path) -> None:
    converged.mark_changed()
    address = urlsplit(mirror.url()).hostname
    assert address
    server = issued.self_signed(address)
    certificate, key = server.write(tmp_path), tmp_path / "key.pem"
    key.write_text(server.key)
    trust = "/etc/ssl/mail-test.pem"
    inside.run(NAME, ["sh", "-c", f"cat > {trust}"], text=server.chain)
    bare = _of_patching(converged)
    assert {"ii unattended-upgrades", "/etc/apt/apt.conf.d/20auto-upgrades"} <= bare
    environment = {**os.environ, "CKAN_DEPLOY_SECRET_PATCHING_SMTP_PASSWORD": PASSWORD}
    with sink(address, certificate, str(key)) as (port, received):
        data = {
            "patching_smtp_server": f"{address}:{port}",
            "patching_smtp_trust": trust,
            "patching_smtp_user": "hosts",
            "patching_mail_from": "hosts@portal.test",
            "patching_mail_to": "operators@portal.test",
            "patching_leave_units": ["supervisor.service"],
        }
        inventory = variants.inventory(data, tmp_path)
        assert deploy.plan_and_apply(inventory=inventory, environment=environment)
        assert deploy.plan(inventory=inventory, environment=environment) == {}
        assert converged.run("perl", "-e", _EVALUATE, "supervisor.service") == "a 1\n"
        converged.run("sh", "-c", "echo it works | mail -s 'from mailx' root")
        converged.run("sh", "-c", "printf 'Subject: from sendmail\\n\\nit works\\n' | sendmail -oi someone@portal.test")
    assert _of_patching(converged) - bare >= {"ii msmtp", "ii bsd-mailx", "/etc/msmtprc"}
    assert received.logins == [(True, "hosts", PASSWORD)] * 2
    (first, second) = received.mails
    assert first[:2] == ("hosts@portal.test", ["operators@portal.test"]) and "Subject: from mailx" in first[2]
    assert "From: hosts@portal.test" in first[2] and "\nit works\n" in first[2]
    assert second[1] == ["someone@portal.test"]
    assert converged.run("stat", "-c", "%a %U", "/etc/msmtprc") == "600 root\n"
    refused = inside.run(NAME, ["runuser", "-u", "www-data", "--", "cat", "/etc/msmtprc"], check=False)
    assert refused.returncode != 0 and "Permission denied" in refused.stderr, refused
    assert host_files.holding('quoted" %#', _PLACES) == {"/etc/msmtprc"}
    assert host_files.readable('quoted" %#', _PLACES) == set()

    deploy.plan_and_apply()
    assert _of_patching(converged) == bare, "the host's mail has left something"
    deploy.plan_and_apply("--data", "patching_enabled=false")
    assert deploy.plan("--data", "patching_enabled=false") == {}
    assert _of_patching(converged) == set()
    deploy.plan_and_apply()
    assert _of_patching(converged) == bare


_PLACES = ("/etc", "/var", "/run", "/tmp", "/usr/local")
_PACKAGES = {"apt-listchanges", "needrestart", "unattended-upgrades", "bsd-mailx", "msmtp", "msmtp-mta"}
_FILES = ("/etc/msmtp*", "/etc/apt/apt.conf.d/20auto-upgrades")
_OURS = (
    "/etc/apt/**/*ckan-deploy*",
    "/etc/needrestart/**/*ckan-deploy*",
    "/etc/systemd/system/apt-daily*/*ckan-deploy*",
)


def _of_patching(portal_host: PortalHost) -> set[str]:
    """Packages and files of the component that are there."""
    lines = portal_host.run("dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Package}\n").splitlines()
    packages = {line for line in lines if line.startswith("ii ") and line.split()[1] in _PACKAGES}
    return packages | set(host_files.there(*_FILES, *_OURS))
