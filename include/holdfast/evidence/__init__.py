"""Evidence of drills, restore checks and operations: stored, signed, listed, and shown to people."""

from holdfast.evidence.checking import verify_evidence
from holdfast.evidence.listing import EvidenceEntry, list_evidence, recorded
from holdfast.evidence.markdown import approval_markdown
from holdfast.evidence.records import (
    demand_unrecorded,
    find_evidence,
    read_closing,
    read_evidence,
    read_report,
    write_closing,
    write_evidence,
)
from holdfast.evidence.report import report_html

__all__ = [
    "EvidenceEntry",
    "approval_markdown",
    "demand_unrecorded",
    "find_evidence",
    "list_evidence",
    "read_closing",
    "read_evidence",
    "read_report",
    "recorded",
    "report_html",
    "verify_evidence",
    "write_closing",
    "write_evidence",
]
