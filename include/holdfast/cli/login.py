"""Who calls the command, as the machine knows them."""

from __future__ import annotations

import getpass
import os
import pwd

from holdfast.values.actor import Actor


def login_name() -> str:
    """The login name; the user's number where it has no entry, as in containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def actor() -> Actor:
    """The account as the system knows it, whatever the environment says, and who has become it by sudo."""
    try:
        account = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        account = f"uid {os.getuid()}"
    before = os.environ.get("SUDO_USER")
    return Actor(f"{before} as {account}" if before and before != account else account, "cli")
