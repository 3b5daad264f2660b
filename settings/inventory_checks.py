"""What can be wrong with an inventory itself, before any value is looked at: names, their places, and groups."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from settings.data_files import DataFiles
from settings.origin import Origin, Problem
from settings.pyinfra_names import is_known, known
from settings.schema import Setting, nearest, settings
from settings.sources import HostSource, Level, Value

SERVICES = ("portal", "postgresql", "redis", "solr")
STORAGE = "object_storage"
GROUPS = (*SERVICES, STORAGE)

_IN_CLEAR_TEXT = (
    "must not stand in clear text; remove it here, and put a new one into the secret store, since others may have read "
    "this one"
)

Picked = Mapping[str, Mapping[str, Value]]


def wrong_names(values: Mapping[str, Value]) -> Iterator[Problem]:
    """Names of one host's VALUES that are no setting, are derived, or are secrets in clear text."""
    for name, value in values.items():
        setting = settings().get(name)
        if setting is None:
            if hint := _unknown(name):
                yield Problem(hint, value.origin, (name,))
        elif setting.kind == "derived":
            yield Problem(f"{name} cannot be set, {_derived(setting)}", value.origin, (name,))
        elif setting.secret:
            yield Problem(f"{name} is a secret and {_IN_CLEAR_TEXT}", value.origin, (name,))


def _unknown(name: str) -> str:
    """Say that NAME is no setting; empty where it is pyinfra's, or a data file's own helper."""
    if is_known(name):
        return ""
    if name.startswith("_"):  # helpers of data files may have any name but nearly one of pyinfra's
        near = nearest(name, known(), cutoff=0.85)
        return f"{name} does nothing, did you mean {near}? Write that, or give the helper another name" if near else ""
    near = nearest(name, [*settings(), *known()])
    advice = f"did you mean {near}?" if near else "remove it; docs/settings.md lists all settings"
    if setting := settings().get(near):
        if setting.kind == "derived":
            advice += f" It cannot be set either, {_derived(setting)}"
        elif setting.secret:  # else the advice would be another setting, which is no place for a password
            advice += f" That is a secret and {_IN_CLEAR_TEXT}"
    return f"{name} is no setting; {advice}"


def _derived(setting: Setting) -> str:
    return f"it is derived: {setting.how} (from {', '.join(setting.inputs)}); remove it"


_IN_AN_INI = re.compile(r"%\((here|__file__)\)s")


def placeholders(values: Mapping[str, Value]) -> Iterator[Problem]:
    """Values copied from a ckan.ini, where a placeholder stands for its folder: here it would stay as it is."""
    for name, value in values.items():
        for found in sorted(set(_IN_AN_INI.findall(repr(value.value)))):
            path = "/etc/ckan/default" if found == "here" else "/etc/ckan/default/ckan.ini"
            yield Problem(
                f"{name} holds %({found})s, which means something in a ckan.ini written by hand, but nothing "
                f"here; write the path itself ({path}, if it is of this portal)",
                value.origin,
                (name,),
            )


def misplaced(hosts: Mapping[str, HostSource], picked: Picked) -> Iterator[Problem]:
    """Settings of hosts and role groups none of which has the component: they would do nothing."""
    where = {
        (value.layer.name, name): value
        for values in picked.values()
        for name, value in values.items()
        if value.layer.level in (Level.HOST, Level.ROLE) and name in settings()
    }
    for (layer, name), value in where.items():
        group = settings()[name].component.group
        having = [host for host, values in picked.items() if name in values and values[name].layer.name == layer]
        if settings()[name].kind == "derived" or not group or not members(hosts, group):
            continue
        if not any(group in hosts[host].groups for host in having):
            yield Problem(
                f"{name} does nothing for {layer}: it is for the host in group {group}; set it for that, or remove it",
                value.origin,
                (name,),
            )


def members(hosts: Mapping[str, HostSource], group: str) -> list[str]:
    """Names of the hosts in GROUP."""
    return [name for name, host in hosts.items() if group in host.groups]


def wrong_groups(hosts: Mapping[str, HostSource], files: DataFiles) -> Iterator[Problem]:
    """Services that have no host or several; the object storage may be an external one, and have none."""
    for service in SERVICES:
        names = members(hosts, service)
        if len(names) != 1:
            found = "no host" if not names else f"{len(names)} hosts ({', '.join(names)})"
            yield _wrong_group(
                service, f'it has {found}, but must have one; write `{service} = ["HOST"]` in the inventory', files
            )
    if len(names := members(hosts, STORAGE)) > 1:
        says = f"it has {len(names)} hosts ({', '.join(names)}), but may have one at most; leave one, or none"
        yield _wrong_group(STORAGE, says, files)


def unknown_groups(hosts: Mapping[str, HostSource], files: DataFiles) -> Iterator[Problem]:
    """Groups that are none of ours: mistyped ones, and those of hosts that would get nothing.

    Others are the inventory's own, for ``--limit``.
    """
    for group in dict.fromkeys(group for host in hosts.values() for group in _of_inventory(host, files)):
        near = nearest(group, GROUPS)
        idle = [name for name in members(hosts, group) if not set(GROUPS) & set(hosts[name].groups)]
        if near or idle:
            advice = f"did you mean {near}?" if near else f"nothing would be deployed on {', '.join(idle)}."
            yield _wrong_group(
                group,
                f"there is no such group; {advice} Groups are {', '.join(GROUPS)}; a name of yours begins with _",
                files,
            )


def _of_inventory(host: HostSource, files: DataFiles) -> list[str]:
    """Return the groups that the inventory made by hand: not ours, no connector's, not that of the file's name."""
    found = [group for group in host.groups if group not in (*GROUPS, "all") and not group.startswith("@")]
    return [group for group in found if group != (files.environment or found[-1])]


def _wrong_group(group: str, says: str, files: DataFiles) -> Problem:
    where: Origin = files.of_group(group)
    return Problem(f"group {group}: {says}", where)
