"""One thing that is not as it must be, as the watch says it: what, which, since when, what it means, what to do."""

from __future__ import annotations

from datetime import datetime

from holdfast.manifest.model import Record
from holdfast.values.finding_kinds import SEVERITIES as SEVERITIES
from holdfast.values.finding_kinds import Severity


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
