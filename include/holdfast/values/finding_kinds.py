"""The kinds of findings that there are, and the severity that each has unless something says otherwise."""

from __future__ import annotations

from types import MappingProxyType
from typing import Literal

Severity = Literal["page", "notify"]

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
