"""Background jobs that wait are not left behind silently when CKAN's Redis becomes another one."""

from __future__ import annotations

from pyinfra import host, logger

from deploys.ckan import ENVIRONMENT, INI
from facts.ckan_queue import Queue
from settings.ckan import CkanSettings


def left_jobs(settings: CkanSettings) -> str:
    """Say so when jobs wait in the Redis that would be used no longer; empty when none do, or nobody can tell."""
    wanted = f"{settings.redis_host}:{settings.redis_port}/0"
    state = host.get_fact(Queue, path=ENVIRONMENT, ini=INI, wanted=wanted)
    if state.location in ("", wanted):
        return ""
    if state.jobs is None:
        logger.warning(
            f"{host.print_prefix}CKAN's former Redis, {state.location}, does not answer: jobs that wait there, if any, "
            "are left behind"
        )
    if not state.jobs:
        return ""
    return (
        f"its background jobs would be in the Redis at {wanted}, while {state.jobs} wait in the present one, "
        f"{state.location}: let the workers do them (`ckan jobs list`) and run again, or give them up with "
        "`ckan jobs clear`"
    )
