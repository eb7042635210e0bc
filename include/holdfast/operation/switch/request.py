"""What a restore or switch was asked to replace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import JsonValue

from holdfast.errors import UsageError

What = Literal["database", "media", "both"]
WHAT: tuple[What, ...] = ("database", "media", "both")


def what_in(request: Mapping[str, JsonValue]) -> What:
    """What is replaced, the database where nothing is said; raises UsageError for anything else."""
    given = request.get("what", "database")
    for what in WHAT:
        if given == what:
            return what
    raise UsageError(f"what {given!r}: neither {', '.join(WHAT[:-1])} nor {WHAT[-1]} can be restored that way")


def has_database(what: What) -> bool:
    """Is the database replaced?"""
    return what in ("database", "both")


def has_media(what: What) -> bool:
    """Are media replaced?"""
    return what in ("media", "both")
