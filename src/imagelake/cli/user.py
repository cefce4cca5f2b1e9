"""Who runs the command."""

from __future__ import annotations

import getpass


def user_name() -> str | None:
    """The login name; None where the system knows none, as in a container with a number only."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None
