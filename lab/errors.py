"""The one exception that the lab raises on purpose."""


class LabError(Exception):
    """Something the user can act on; its text is one sentence without a full stop."""
