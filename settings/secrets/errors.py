"""What goes wrong with secrets: one sentence for the operator, and nothing was changed."""

from __future__ import annotations

from pyinfra.api.exceptions import PyinfraError


class SecretsError(PyinfraError):
    """One sentence: what is wrong, where, and what to do. It never holds a secret."""


class NotARecipient(SecretsError):
    """None of the operator's keys opens what is encrypted."""
