"""One pass of saying what is to be said: claim it in the memory, send it, and remember what became of it."""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.environment import Environment
from holdfast.policy.alerts import Remind
from holdfast.watch.messages import Wording
from holdfast.watch.state.deciding import Sight, decide, due
from holdfast.watch.state.memory import Memory
from holdfast.watch.state.records import Alert, WatchRecord
from holdfast.watch.telling import Outcome, failing, outgoing, send, settled

Amend = Callable[[WatchRecord], WatchRecord]
See = Callable[[WatchRecord], Sight]


@dataclass(slots=True)
class Dispatch:
    """Says what one round has to say. ``tried``: the threads that it has tried already, and leaves to the next."""

    environment: Environment
    memory: Memory
    now: datetime
    me: str = field(default_factory=lambda: f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}")
    tried: set[str] = field(default_factory=set)
    outcomes: list[tuple[str, Outcome]] = field(default_factory=list)

    def say(self, see: See, amend: Amend = lambda record: record) -> None:
        """Decide by what ``see`` shows, on top of what ``amend`` makes of the memory, and send what could be claimed.

        What is to be sent is written down first: whoever dies in between leaves a claim that lapses, and another says
        it again. Who comes second finds it claimed and sends nothing.
        """
        self.memory.change(lambda record: self._claimed(record, see, amend))
        policy = self.environment.policy.alerts
        mine = [alert for alert in self.memory.record.alerts if alert.claimed_by == self.me and alert.owes is not None]
        if policy is None or not mine:
            return
        self.tried |= {alert.thread for alert in mine}
        wording = Wording(policy, self.environment.policy.timezone, self.environment.title, self.now)
        outcomes = send(self.environment, policy, list(outgoing(mine, wording)))
        owed = {alert.thread: str(alert.owes) for alert in mine}
        self.outcomes += [(owed[thread], outcome) for outcome in outcomes for thread in outcome.sent.threads[:1]]
        self.memory.change(lambda record: self._settled(record, outcomes))

    def told(self, what: str) -> tuple[str, ...]:
        """The threads of which everybody was told, as what they owed."""
        threads = (
            thread
            for owed, outcome in self.outcomes
            if owed == what and not outcome.fault
            for thread in outcome.sent.threads
        )
        return tuple(sorted(threads))

    @property
    def faults(self) -> tuple[str, ...]:
        """Why messages did not arrive, each reason once."""
        return tuple(dict.fromkeys(outcome.fault for _, outcome in self.outcomes if outcome.fault))

    def _claimed(self, record: WatchRecord, see: See, amend: Amend) -> WatchRecord:
        amended = amend(record)
        policy = self.environment.policy.alerts
        remind = policy.remind if policy is not None else Remind()
        alerts = decide(amended.alerts, see(amended), remind, self.now)
        if policy is not None:
            alerts = tuple(self._claim(alert) for alert in alerts)
        return amended.model_copy(update={"alerts": alerts})

    def _claim(self, alert: Alert) -> Alert:
        if alert.thread in self.tried or not due(alert, self.me, self.now):
            return alert
        return alert.model_copy(update={"claimed_at": self.now, "claimed_by": self.me})

    def _settled(self, record: WatchRecord, outcomes: Iterable[Outcome]) -> WatchRecord:
        policy = self.environment.policy.alerts
        assert policy is not None
        by_thread = {thread: outcome for outcome in outcomes for thread in outcome.sent.threads}
        alerts = tuple(
            settled(alert, by_thread[alert.thread], self.now)
            if alert.thread in by_thread and alert.claimed_by == self.me
            else alert
            for alert in record.alerts
        )
        routes = failing(record.failing, by_thread.values(), alerts, policy, self.now)
        return record.model_copy(update={"alerts": alerts, "failing": routes})
