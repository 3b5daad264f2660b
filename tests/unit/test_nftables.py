"""The firewall's rules, loaded by a real nft into a network namespace of the test's own."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from facts.nftables import Table, TableState
from operations import nftables
from operations.text import render
from settings.firewall import FirewallSettings
from settings.resolve import resolve
from settings.store import SecretStore
from tests.unit.converge import settle, shim
from tests.unit.test_settings import ADDRESSES, SPLIT, problems, sources

needs_nft = pytest.mark.skipif(os.geteuid() != 0, reason="only root may make network namespaces")


def rules(*clients: str, more: tuple[str, ...] = ()) -> str:
    settings = FirewallSettings(clients=more, ports=({"service": "solr", "port": 8983, "clients": clients},))
    return render("firewall/rules.nft.j2", settings, table="ckan_deploy").secret


def await_namespace(pid: int) -> None:
    """Return once the process has a network namespace of its own: until then, nsenter would enter this machine's."""
    ours = Path("/proc/self/ns/net").readlink()
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}/ns/net").readlink() == ours:
        assert time.monotonic() < deadline, "unshare did not make a network namespace within a minute"
        time.sleep(0.01)


def state(text: str, before: str = "") -> TableState:
    """The fact in a new namespace, after the script BEFORE."""
    fact: Any = Table()
    command = fact.command(family="inet", table="ckan_deploy", rules=text).get_raw_value()
    done = subprocess.run(
        ["unshare", "-n", "sh", "-c", f"{before}\n{command}"], input=text, capture_output=True, text=True, check=True
    )
    found: TableState = fact.process(done.stdout.splitlines())
    return found


@needs_nft
def test_rules_in_force_are_compared_with_wanted_ones() -> None:
    text = rules("192.0.2.20", "2001:db8::20", more=("192.0.2.0/24",))
    assert not state(text).settled
    assert state(text, "nft -f -").settled
    assert not state(text, "nft -f -; nft flush ruleset").settled
    assert not state(text, "nft -f -; nft insert rule inet ckan_deploy input accept").settled
    assert not state(text, f"nft -f - <<END\n{rules('192.0.2.21')}END").settled
    assert state(text, "nft add table inet own; nft -f -; nft list table inet own >/dev/null").settled


@needs_nft
def test_loading_replaces_our_table_and_leaves_others(tmp_path: Path, shims: Path) -> None:
    """nft is the real one in a namespace that lasts as long as the test."""
    with subprocess.Popen(["unshare", "-n", "sleep", "600"]) as keeper:
        try:
            await_namespace(keeper.pid)
            shim(shims, "nft", f'exec nsenter -t {keeper.pid} -n "$REAL" "$@"')
            shim(shims, "unshare", 'shift; REAL=$(PATH=${PATH#*:} command -v nft); PATH=${PATH#*:} unshare -n "$@"')
            subprocess.run(["nft", "add table inet own"], check=True)
            for text in (rules("192.0.2.20"), rules("192.0.2.21")):
                assert settle(nftables.table, family="inet", table="ckan_deploy", rules=text).changed
            listed = subprocess.run(["nft", "list", "ruleset"], capture_output=True, text=True, check=True).stdout
            assert "192.0.2.21" in listed and "192.0.2.20" not in listed and "table inet own" in listed
        finally:
            keeper.kill()


def test_ports_are_open_to_the_hosts_that_use_them(tmp_path: Path) -> None:
    found = resolve(sources(SPLIT), SecretStore(tmp_path, generate=True))
    ports = {name: {p.service: (p.port, p.clients) for p in host.firewall.ports} for name, host in found.items()}
    portal = (ADDRESSES["data"],)
    assert ports["search"] == {"postgresql": (5432, ()), "redis": (6379, ()), "solr": (8983, portal)}
    assert ports["database"] == {"postgresql": (5432, portal), "redis": (6379, ()), "solr": (8983, ())}
    assert ports["data"] == {"postgresql": (5432, ()), "redis": (6379, ()), "solr": (8983, ()), "uwsgi": (8080, ())}


def test_more_clients_are_addresses_or_networks(tmp_path: Path) -> None:
    store = SecretStore(tmp_path, generate=True)
    found = resolve(sources(SPLIT, {"firewall_clients": ["192.0.2.9", "2001:db8::/32"]}), store)
    text = render("firewall/rules.nft.j2", found["search"].firewall, table="t").secret
    assert "ip saddr 192.0.2.9/32 tcp dport 8983 accept\n" in text
    assert "ip6 saddr 2001:db8::/32 tcp dport 8983 accept\n" in text
    (problem,) = problems(store, data={"firewall_clients": ["monitor"]})
    assert "firewall_clients" in problem and "write addresses or networks" in problem
