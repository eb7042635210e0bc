"""What is stored of approvals: a request for each time that a gate asked, and the one answer that it got."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from holdfast.manifest.evidence import GivenApproval
from holdfast.manifest.model import Record

Decision = Literal["approved", "rejected"]


class About(Record):
    """What a record speaks of: the ``number``-th time that ``gate`` asked about ``subject``."""

    app: str
    environment: str
    subject: str
    gate: str
    number: int

    @property
    def title(self) -> str:
        """For messages."""
        return f"gate {self.gate} of {self.app}/{self.environment}/{self.subject}"


class Request(About):
    """What a gate showed (``sha256`` is that of ``body`` in UTF-8), on whose behalf, and how long it may be answered.

    ``requested_by`` is None where a schedule asked; ``origin`` is the DAG run.
    """

    format: Literal["holdfast-approval-request/1"] = "holdfast-approval-request/1"
    position: int
    requested_by: str | None
    origin: str
    asked_at: datetime
    expires_at: datetime
    sha256: str
    body: str


class Answer(About):
    """What one person answered to the request of the same number, whose stored bytes have ``request_sha256``.

    ``sha256`` is that of the text that was shown; after ``good_until`` the answer counts no more.
    """

    format: Literal["holdfast-approval-answer/1"] = "holdfast-approval-answer/1"
    request_sha256: str
    sha256: str
    approver: str
    decision: Decision
    reason: str | None
    answered_at: datetime
    good_until: datetime

    def given(self) -> GivenApproval:
        """As evidence states it."""
        return GivenApproval(
            gate=self.gate,
            approver=self.approver,
            answered_at=self.answered_at,
            sha256=self.sha256,
            comment=self.reason,
        )


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it stands in the store, and its answer, None while there is none."""

    request: Request
    request_sha256: str
    answer: Answer | None
