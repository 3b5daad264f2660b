"""Order: the portal comes after the services of all hosts, and before what it no longer uses goes."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from operations import order


@deploy("Order")
def services_first() -> None:
    """Be called for every host, between the services and what uses them."""
    order.meet(name="Have the services of all hosts first")


@deploy("Order")
def portal_first() -> None:
    """Be called for every host, between the portal and the removal of what it may have used until now.

    A portal that could not be changed goes on with what it has, and no run gets here then.
    """
    order.meet(name="Have the portal before what it no longer uses is removed")
