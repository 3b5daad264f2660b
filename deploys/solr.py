"""Solr: CKAN's search.

What is used of the distribution's ``bin/solr`` is ``start -f`` with the variables of ``solr.in.sh`` that
``templates/solr/solr.in.sh.j2`` sets; ``lab/solr/covered.json`` is the list that a lint test holds this to.
"""

from __future__ import annotations

from pyinfra.api import deploy

from operations import apt, download, files, service, users, wheel
from operations.text import render
from settings.releases import Release
from settings.solr import SolrSettings

_HOME = "/var/solr"
_DATA = f"{_HOME}/data"
_INCLUDE = "/etc/default/solr.in.sh"


@deploy("Solr")
def solr(settings: SolrSettings, release: Release) -> None:
    """Install Solr with CKAN's core."""
    archive = f"solr-{settings.version}.tgz"
    core = f"{_DATA}/{settings.core}"
    checksum = f"sha512:{settings.sha512}"

    apt.packages(name="Install Java", packages=[release.java_package, "curl", "python3-venv"])
    users.system(name="Make Solr's account", user="solr", home=_HOME)
    download.file(
        name="Download Solr",
        url=f"{settings.mirror}/{settings.version}/{archive}",
        dest=f"/var/cache/ckan-deploy/{archive}",
        checksum=checksum,
    )
    download.unpacked(
        name="Unpack Solr",
        archive=f"/var/cache/ckan-deploy/{archive}",
        dest=f"/opt/solr-{settings.version}",
        checksum=checksum,
    )
    files.link(name="Choose Solr's version", path="/opt/solr", target=f"/opt/solr-{settings.version}")

    for folder in (_HOME, _DATA, f"{_HOME}/logs"):
        files.directory(name=f"Make {folder}", path=folder, owner="solr", group="solr", mode=0o750)
    for folder in (core, f"{core}/conf"):
        files.directory(name=f"Make {folder}", path=folder, owner="solr", group="solr", mode=0o750)
    for template, dest in (
        ("solr.xml", f"{_DATA}/solr.xml"),
        ("log4j2.xml", f"{_HOME}/log4j2.xml"),
        ("solrconfig.xml", f"{core}/conf/solrconfig.xml"),
        ("protwords.txt", f"{core}/conf/protwords.txt"),
        ("synonyms.txt", f"{core}/conf/synonyms.txt"),
    ):
        files.install(
            name=f"Configure Solr: {template}",
            dest=dest,
            text=render(f"solr/{template}.j2", settings),
            group="solr",
            mode=0o640,
        )
    wheel.member(
        name="Install CKAN's search schema",
        requirement=settings.schema_requirement,
        path="ckan/config/solr/schema.xml",
        dest=f"{core}/conf/schema.xml",
        sha256=settings.schema_sha256,
        group="solr",
        mode=0o640,
    )
    # Last of the core's files: Solr takes a folder without it for no core, so none starts without its schema.
    files.install(
        name="Declare CKAN's core",
        dest=f"{core}/core.properties",
        text=render("solr/core.properties.j2", settings),
        owner="solr",
        group="solr",
        mode=0o640,
    )
    files.install(
        name="Configure Solr's start",
        dest=_INCLUDE,
        text=render("solr/solr.in.sh.j2", settings, home=_HOME, data=_DATA, java=release.java_home),
        group="solr",
        mode=0o640,
    )
    files.install(
        name="Describe Solr's service",
        dest="/etc/systemd/system/solr.service",
        text=render("solr/solr.service.j2", settings, include=_INCLUDE),
    )
    service.follow(
        name="Run Solr with its newest configuration",
        unit="solr.service",
        reads=[
            "/opt/solr",
            _INCLUDE,
            f"{_DATA}/solr.xml",
            f"{_HOME}/log4j2.xml",
            f"{core}/conf",
            f"{core}/core.properties",
        ],
    )
    download.former_absent(
        name="Remove former versions of Solr",
        version=settings.version,
        archive=f"/var/cache/ckan-deploy/{archive}",
        dest=f"/opt/solr-{settings.version}",
    )
