"""Order: the portal comes after the services of all hosts."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from operations import order


@deploy("Order")
def services_first() -> None:
    """Be called for every host, between the services and what uses them."""
    order.meet(name="Have the services of all hosts first")
