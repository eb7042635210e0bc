"""Approvals: who agreed to exactly what, as signed records in the store."""

from holdfast.approval.gates import demand_approval, digest, read_approvals, record_answer, request_approval
from holdfast.approval.records import Answer, Asked, Request

__all__ = [
    "Answer",
    "Asked",
    "Request",
    "demand_approval",
    "digest",
    "read_approvals",
    "record_answer",
    "request_approval",
]
