"""What the audit trail of an environment tells, once it is shown to be whole."""

from __future__ import annotations

from holdfast.audit import AuditRecord, read_trail, verify_trail
from holdfast.environment import Environment


def told(environment: Environment, *actions: str) -> list[AuditRecord]:
    """The records of these actions, or all, oldest first."""
    assert verify_trail(environment).problems == ()
    entries = list(read_trail(environment))
    assert {entry.signed for entry in entries} <= {"signed", "unsigned"}
    records = [entry.record for entry in entries if entry.record is not None]
    return [record for record in records if not actions or record.action in actions]
