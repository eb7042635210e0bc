"""One thing that is not as it must be, as the watch says it: what, which, since when, what it means, what to do."""

from __future__ import annotations

from datetime import datetime
from types import MappingProxyType

from holdfast.manifest.model import Record
from holdfast.policy.alerts import Severity

SEVERITIES: MappingProxyType[str, Severity] = MappingProxyType(
    {
        "store_unreachable": "page",
        "policy_broken": "page",
        "never_started": "page",
        "late": "page",
        "rpo_exceeded": "page",
        "too_quick": "page",
        "too_small": "page",
        "too_large": "notify",
        "not_decryptable": "page",
        "signature_mismatch": "page",
        "identity_mismatch": "page",
        "artifact_missing": "page",
        "verification_overdue": "notify",
        "restore_check_failed": "page",
        "restore_check_overdue": "page",
        "drill_failed": "page",
        "drill_overdue": "notify",
        "rto_exceeded": "notify",
        "wal_lag": "page",
        "wal_gap": "page",
        "wal_damaged": "page",
        "slot_retention": "page",
        "media_damaged": "page",
        "media_check_overdue": "notify",
        "rotation_due": "notify",
        "store_guard": "notify",
        "space_short": "page",
        "growth": "notify",
        "audit_broken": "page",
        "run_failed": "page",
        "deadline_missed": "page",
        "alert_undelivered": "page",
    }
)
"""Every kind of finding with the severity that it has unless the finding or the policy says otherwise."""


class Finding(Record):
    """``id`` stays the same for as long as the same thing is wrong, and ``thread`` for all that is said of one cause.

    ``subject`` is what it is about: a tier, a restore point, a WAL segment. ``text`` says in one sentence what and
    which, ``meaning`` what that means, ``advice`` what to do; ``since`` is when it began, None where nobody knows.
    ``runbook`` is a page of docs/ with its anchor, ``dag`` the id of the DAG to look at.
    """

    id: str
    thread: str
    kind: str
    severity: Severity
    app: str
    environment: str
    subject: str
    text: str
    since: datetime | None
    meaning: str
    advice: str
    runbook: str
    dag: str | None = None

    def as_json(self) -> dict[str, object]:
        """As ``holdfast status --json`` prints it."""
        return self.model_dump(mode="json")
