"""Secrets for runs that need some and keep none."""

from __future__ import annotations

from settings.host import secrets_declared
from settings.store import variable


def secrets() -> dict[str, str]:
    """Return a value of each secret that the schema declares, by name."""
    return {
        name: value if spec.fits(value := f"s3cret-{name}") else spec.stand_in
        for name, spec in secrets_declared().items()
    }


def variables() -> dict[str, str]:
    """Return the environment variables that give them to a run."""
    return {variable(name): value for name, value in secrets().items()}
