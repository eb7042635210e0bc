"""Records acts that only read: after a disaster, what is stored must be had also where the store takes nothing."""

from __future__ import annotations

from holdfast.audit.appending import append
from holdfast.audit.records import Act
from holdfast.environment import Environment
from holdfast.errors import HoldfastError


def append_if_possible(environment: Environment, act: Act) -> str | None:
    """Record an act; where that cannot be, what to tell whoever does it, else None."""
    try:
        append(environment, act)
    except HoldfastError as error:
        return f"the audit trail does not tell of this: {error.message}"
    return None
