"""Tells the audit trail that the live application is about to be changed."""

from __future__ import annotations

from holdfast.audit import Act, append
from holdfast.environment import Environment
from holdfast.operation.records import OperationOpen


def tell_change(environment: Environment, opened: OperationOpen, step: str) -> None:
    """Record, once, that a step changes what is live: right before it does, and behind all that may forbid it.

    Raises StoreError where it cannot be recorded; then nothing may be changed.
    """
    details = {
        "kind": opened.kind,
        "step": step,
        "restore_point": opened.restore_point,
        "requested_by": opened.requested_by,
    }
    once = f"changed {opened.id} {step}"
    append(environment, Act("changed", opened.id, details, once=once, since=opened.opened_at))
