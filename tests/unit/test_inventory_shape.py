"""Inventories whose groups are no groups, or not ours: said with the line, before anything is connected to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.checkout import checkout, run

REST = "postgresql = redis = solr = [('dcor', {'address': '192.0.2.20'})]\n"
SERVICES = "portal, postgresql, redis, solr, object_storage"


def errors(folder: Path, inventory: str, **group_data: str) -> list[str]:
    """What pyinfra says is wrong with an INVENTORY; nothing was connected to."""
    made = checkout(folder / "checkout")
    (made / "inventory/here.py").write_text(inventory)
    for name, text in {"here": 'portal_fqdn = "data.example.org"\n', **group_data}.items():
        (made / f"group_data/{name}.py").write_text(text)
    done = run(made, "pyinfra", "inventory/here.py", "deploy.py", "--dry")
    output = done.stdout + done.stderr
    assert done.returncode == 1 and "Connecting" not in output and "Traceback" not in output, output
    lines = done.stderr.splitlines()
    start = "--> error: the settings are not complete or not right; nothing was changed:"
    assert start in lines, output
    return [line.strip() for line in lines[lines.index(start) + 1 :] if line.strip()]


@pytest.mark.parametrize(
    ("portal", "says"),
    [
        (
            '("dcor", {"address": "192.0.2.20"})',
            'a host stands alone, but a group is a list: write `[("dcor", {…})]`, ',
        ),
        ('"dcor"', "'dcor' is a text, but a group is a list of hosts: write `[\"dcor\"]`, with brackets"),
        ('("dcor")', "'dcor' is a text, but a group is a list of hosts: write `[\"dcor\"]`, with brackets"),
        (
            '("dcor",)',
            'a tuple of hosts is taken for something else; write a list: `[("HOST", {"address": "…"}), …]`, ',
        ),
        ('("dcor", "data")', "a tuple of hosts is taken for something else; write a list"),
        ('["dcor", {"address": "192.0.2.20"}]', "a host and its data belong together: write `[("),
        ('[("dcor", ["192.0.2.20"])]', "('dcor', ['192.0.2.20']) is no host; each is a name or `(\"HOST\", {"),
        ('{"dcor": {"address": "192.0.2.20"}}', 'it is dict, but must be a list of hosts: `[("HOST", {"address": '),
        ('([("dcor", 1)], {"redis_port": 6380})', "('dcor', 1) is no host; each is a name or"),
        ("None", "it is NoneType, but must be a list of hosts: "),
    ],
)
def test_a_group_that_is_no_list_of_hosts(portal: str, says: str, tmp_path: Path) -> None:
    (said,) = errors(tmp_path, f'"""Mine."""\n\n{REST}portal = {portal}\n')
    assert said.startswith(f"inventory/here.py:4: group portal: {says}"), said


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("objectstorage = [portal[0]]", "group objectstorage: there is no such group; did you mean object_storage? "),
        ("postgres = [portal[0]]", "group postgres: there is no such group; did you mean postgresql? "),
        ("objectstorage = portal, {}", "group objectstorage: there is no such group; did you mean object_storage? "),
        (
            'database = ["elsewhere"]',
            "group database: there is no such group; nothing would be deployed on elsewhere. ",
        ),
    ],
)
def test_a_group_that_does_not_exist(more: str, says: str, tmp_path: Path) -> None:
    said = errors(tmp_path, f"{REST}portal = solr\n{more}\n")
    line = f"inventory/here.py:3: {says}Groups are {SERVICES}; a name of yours begins with _"
    assert line in said, said


def test_a_tuple_of_the_inventory_s_own(tmp_path: Path) -> None:
    (said,) = errors(tmp_path, f"{REST}portal = solr\nversions = ('1', '2')\n")
    assert said == (
        "inventory/here.py:3: group versions: a tuple is taken for hosts and their data; if it is something else, let "
        "its name begin with _"
    )


def test_other_names_are_the_inventory_s_own(tmp_path: Path) -> None:
    made = checkout(tmp_path / "checkout")
    (made / "inventory/here.py").write_text(
        "from pathlib import Path\nversions = [1, 2]\nhere = 'x'\n"
        "portal = postgresql = redis = solr = ([('@local', {'address': '192.0.2.20'})], {'redis_port': 6380})\n"
        "frankfurt = ['@local']\n"
    )
    (made / "group_data/here.py").write_text('portal_fqdn = "data.example.org"\n')
    for limit in ((), ("--limit", "frankfurt")):
        done = run(made, "pyinfra", "inventory/here.py", "deploy.py", "--dry", *limit)
        assert done.returncode == 0, done.stderr


def test_a_placeholder_of_an_ini_file(tmp_path: Path) -> None:
    said = errors(
        tmp_path,
        f"{REST}portal = solr\n",
        all='ckan_storage_path = "%(here)s/storage"\nckan_options = {"ckan.a": "x", "ckan.b": "%(__file__)s"}\n',
    )
    assert said[-1] == (
        "group_data/all.py:2: ckan_options holds %(__file__)s, which means something in a ckan.ini written by hand, "
        "but nothing here; write the path itself (/etc/ckan/default/ckan.ini, if it is of this portal)"
    )
    assert any(line.startswith("group_data/all.py:1: ckan_storage_path holds %(here)s, which means") for line in said)
