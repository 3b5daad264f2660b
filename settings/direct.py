"""What a host asks no proxy for: the portal's own services, and what group data names."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit

from settings.values import Values

_LOCAL = ("localhost", "127.0.0.1", "::1", "[::1]")


def direct(values: Values, host: str) -> tuple[str, ...]:
    """Return the names and addresses that HOST asks no proxy for. Raises ``settings.rule.Unknown``."""
    addresses = [ip_address(values.of(name, "address")) for name in values.hosts()]
    # Some programs look an address up with the brackets that it has in a URL, some without.
    written = [form for one in addresses for form in ((f"{one}", f"[{one}]") if one.version == 6 else (f"{one}",))]
    storage = urlsplit(values["object_storage_endpoint"]).hostname or ""
    names = (values["portal_fqdn"], *values["nginx_aliases"], values["object_storage_fqdn"], storage)
    return tuple(dict.fromkeys(name for name in (*_LOCAL, *written, *names, *values.of(host, "base_no_proxy")) if name))
