"""What the next run does with a secret that was rotated, and what people notice of it."""

from __future__ import annotations

_NEXT = {
    "postgresql_password": (
        "The next run gives the role its new password, then writes ckan.ini and restarts CKAN. Connections that are "
        "open go on; new ones fail from the first step to the last, which is the time of the run's steps between them "
        "and of one start of CKAN. PostgreSQL itself is not restarted."
    ),
    "redis_password": (
        "The next run restarts Redis with the new password (it keeps its data), then writes ckan.ini and restarts "
        "CKAN. In between CKAN gets no answer from Redis: background jobs cannot be queued, and pages may fail, for "
        "the time of the run's steps between them and of one start of CKAN."
    ),
    "ckan_secret_key": (
        "The next run writes ckan.ini and restarts CKAN, which is away for one start. Everybody must log in again, and "
        "all API tokens are void: people make new ones, the run makes the sysadmin's (ckan_sysadmin_token)."
    ),
    "ckan_sysadmin_password": (
        "The next run uses it only if it has to make that sysadmin; one who exists keeps the password. Set the new one "
        "on the portal's host: `sudo ckan user setpass NAME`. Nothing is restarted."
    ),
    "ckan_smtp_password": (
        "The next run writes ckan.ini and restarts CKAN, which is away for one start. Have the mail server take the "
        "new password first: from then until the run's end CKAN's e-mails fail."
    ),
}


def next_run(name: str) -> str:
    """Return what the next run does with the secret NAME."""
    return _NEXT.get(name, "The next run brings it to all its places; see the plan: `--dry --diff`.")
