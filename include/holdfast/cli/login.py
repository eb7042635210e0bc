"""Who calls the command, as the machine knows them."""

from __future__ import annotations

import getpass
import os


def login_name() -> str:
    """The login name; the user's number where it has no entry, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
