"""Variables of all commands on a host, beside those of config.py (``config.ENV``), which are the same for all hosts."""

from __future__ import annotations

from collections.abc import Mapping

from pyinfra import host


def use(variables: Mapping[str, str]) -> None:
    """Have all commands on the current host run with VARIABLES, those of facts and operations alike.

    They are exported within sudo, so that they win over what a login there brings (``/etc/environment``).
    """
    host.data._env = dict(variables)
