"""The records of the watch's memory: which alerts are open, who was told of them, and what was last read."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from holdfast.manifest.model import Record
from holdfast.policy.alerts import Severity
from holdfast.watch.facts import EnvironmentFacts
from holdfast.watch.finding import Finding

EVENTS = ("run_failed", "deadline_missed")
Owed = Literal["raise", "remind", "resolve"]


class Alert(Record):
    """All findings of one thread, from the first word to people to the last.

    ``severity``: the highest that was raised. ``findings``: what was last found. ``said_at``: when somebody was last
    told, ``times`` how often. ``resolved_at``: since when nothing is left of it. ``returns``: how often it came back
    soon after it was resolved; then ``due_at`` is when it is said again, and ``gone_at`` since when it is gone this
    time. ``owes``: what is yet to be said, and to whom (``owed_to``: names of addresses, None: all of the route).
    ``claimed_by`` is sending it, since ``claimed_at``. ``tries``: how many rounds have failed to.
    """

    thread: str
    severity: Severity
    findings: tuple[Finding, ...] = ()
    raised_at: datetime
    said_at: datetime | None = None
    times: int = 0
    resolved_at: datetime | None = None
    returns: int = 0
    due_at: datetime | None = None
    gone_at: datetime | None = None
    owes: Owed | None = None
    owed_to: tuple[str, ...] | None = None
    tries: int = 0
    claimed_at: datetime | None = None
    claimed_by: str | None = None

    @property
    def is_open(self) -> bool:
        """Is something of it still wrong, as far as is known?"""
        return self.resolved_at is None

    @property
    def events(self) -> tuple[Finding, ...]:
        """What failed runs and missed deadlines reported themselves: it stands until the store shows better."""
        return tuple(finding for finding in self.findings if finding.kind in EVENTS)


class FailingRoute(Record):
    """A route that did not take messages in ``rounds`` rounds one after another; ``text`` says why, without secrets."""

    severity: Severity
    conn_id: str
    since: datetime
    rounds: int
    text: str


class WatchRecord(Record):
    """The memory after one round. ``number`` is that of its key: an old record copied to a new key is none.

    ``facts``: what was last read, ``anchor`` the newest record of the audit trail that was found good.
    """

    format: Literal["holdfast-watch/1"] = "holdfast-watch/1"
    app: str
    environment: str
    number: int = 0
    at: datetime
    alerts: tuple[Alert, ...] = ()
    failing: tuple[FailingRoute, ...] = ()
    facts: EnvironmentFacts | None = None
    anchor: str | None = None
