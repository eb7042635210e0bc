"""What the texts of libpq and the server say about whether trying again may help."""

from __future__ import annotations

import re

_LOST = re.compile(
    r"server closed the connection|connection to server .* failed: (?!FATAL)|could not connect|"
    r"terminating connection|connection not open|no connection to the server|SSL connection has been closed|"
    r"could not (send data to|receive data from) server|connection timed out|timeout expired|"
    r"the database system is (starting up|shutting down|in recovery mode|not (yet )?accepting)|"
    r"too many clients|remaining connection slots|Connection (refused|reset)|lost synchronization|"
    r"could not fork new process",
    re.IGNORECASE,
)
_PERMISSION = re.compile(r"permission denied|must be (owner|superuser)|row-level security", re.IGNORECASE)
# pg_dump puts its limit on LOCK TABLE as a statement_timeout, and has none otherwise.
_LOCK_TIMEOUT = re.compile(r"canceling statement due to (lock|statement) timeout")
_NO_SPACE = re.compile(r"No space left on device|disk quota exceeded|could not extend file", re.IGNORECASE)


def is_connection_loss(text: str) -> bool:
    """Was the server not reachable, or did the session break?"""
    return _LOST.search(text) is not None


def is_lock_timeout(text: str) -> bool:
    """Was a wait for a table's lock given up?"""
    return _LOCK_TIMEOUT.search(text) is not None


def is_permission(text: str) -> bool:
    """Did the server deny something to the role?"""
    return _PERMISSION.search(text) is not None


def is_out_of_space(text: str) -> bool:
    """Did a disk run full?"""
    return _NO_SPACE.search(text) is not None
