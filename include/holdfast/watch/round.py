"""One round of the watch for one environment: read, judge, tell people, remember, and call the dead man's switch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from holdfast.audit import Anchor, advance
from holdfast.environment import Environment
from holdfast.errors import HoldfastError, IntegrityError, SignatureError
from holdfast.progress import Progress, Silent
from holdfast.watch.dispatch import Dispatch
from holdfast.watch.facts import EnvironmentFacts, Trouble
from holdfast.watch.finding import Finding
from holdfast.watch.judging import judge
from holdfast.watch.pings import call, faults_of
from holdfast.watch.reading import read_facts
from holdfast.watch.reports import RoundReport, in_order
from holdfast.watch.state.change import kept_facts
from holdfast.watch.state.deciding import Sight
from holdfast.watch.state.events import open_events
from holdfast.watch.state.memory import Memory
from holdfast.watch.state.records import WatchRecord
from holdfast.watch.undelivered import sendable, tampered, undelivered

_SILENT = Silent()
NOBODY = "the policy has no section alerts: nobody is told of what the watch finds"


@dataclass(frozen=True, slots=True)
class Carried:
    """Findings of other places, and which ``places`` (``app/environment``) were looked at for them."""

    findings: tuple[Finding, ...] = ()
    places: frozenset[str] = frozenset()


_NOTHING = Carried()


def watch_round(
    environment: Environment,
    now: datetime | None = None,
    *,
    progress: Progress = _SILENT,
    is_pinging: bool = True,
    carried: Carried = _NOTHING,
) -> RoundReport:
    """Look at an environment once, and tell people what they do not know yet.

    ``carried``: what this environment's alerts are to say of places that cannot themselves. Raises UsageError where
    this host has no signing key: the memory is signed. What the store or a service for messages does wrong is told in
    the report and never raised.
    """
    signer = environment.signer()
    now = now if now is not None else environment.clock()
    memory = Memory(environment, signer, now)
    facts, anchor = look(environment, memory.record, now, memory.faults, progress)
    findings = (*judge(facts, environment.policy, now), *carried.findings)
    is_blind = bool(facts.away)
    if memory.away is not None and not is_blind:
        # The store is there after all: without its memory everything that is open would be said again.
        memory = Memory(environment, signer, now)

    def amend(record: WatchRecord) -> WatchRecord:
        return record.model_copy(update={"facts": kept_facts(record, facts, now), "anchor": anchor or record.anchor})

    def see(record: WatchRecord) -> Sight:
        own = sendable(environment, undelivered(environment, record))
        found = (*findings, *events_of(record), *own)
        return Sight(found, carried.places | {environment.title}, is_blind=is_blind)

    def events_of(record: WatchRecord) -> tuple[Finding, ...]:
        opened = [alert for alert in record.alerts if alert.is_open]
        return tuple(event for alert in opened for event in open_events(alert, facts, environment.policy, now))

    dispatch = Dispatch(environment, memory, now)
    failing = memory.record.failing
    dispatch.say(see, amend)
    if memory.record.failing != failing:
        # That messages do not arrive, or do again, is said at once by the other way.
        dispatch.say(see, amend)
    own = undelivered(environment, memory.record)
    events = events_of(memory.record)
    report = RoundReport(
        app=environment.app,
        environment=environment.name,
        at=now,
        findings=in_order({finding.id: finding for finding in (*findings, *events, *own)}.values()),
        facts=facts,
        raised=dispatch.told("raise"),
        reminded=dispatch.told("remind"),
        resolved=dispatch.told("resolve"),
        undelivered=tuple(route.text for route in memory.record.failing) or dispatch.faults,
        notes=(*facts.notes, *_notes(environment, memory)),
    )
    return pinged(environment, report) if is_pinging else report


def look(
    environment: Environment, record: WatchRecord, now: datetime, faults: dict[str, str], progress: Progress
) -> tuple[EnvironmentFacts, str | None]:
    """The facts with what the memory and the audit trail add to them, and the trail's new anchor."""
    facts = read_facts(environment, now, record.facts, progress=progress)
    # Each question to a store that is down takes long, and this one would not be answered either.
    anchor, trouble = (record.anchor, []) if facts.away else _audited(environment, record.anchor)
    troubles = (*facts.troubles, *tampered(faults), *trouble)
    return facts.model_copy(update={"troubles": troubles}), anchor


def pinged(environment: Environment, report: RoundReport) -> RoundReport:
    """Call the dead man's switch with the result of a round; what it does not take is told as a note."""
    alerts = environment.policy.alerts
    if alerts is None or alerts.ping_conn_id is None:
        return report
    fault = call(
        environment.connections, alerts.ping_conn_id, f"holdfast watch: {environment.title}", faults_of(report)
    )
    return report if fault is None else replace(report, notes=(*report.notes, fault))


def _audited(environment: Environment, anchor: str | None) -> tuple[str | None, list[Trouble]]:
    try:
        found, trouble = advance(environment, Anchor.parse(anchor) if anchor is not None else None)
    except (IntegrityError, SignatureError) as error:
        return anchor, [Trouble(kind="audit_broken", subject="audit", text=error.message, hint=error.hint)]
    except HoldfastError:
        # The store does not answer or refuses, or the key is missing: reading has said so.
        return anchor, []
    broken = [Trouble(kind="audit_broken", subject="audit", text=trouble)] if trouble is not None else []
    return str(found) if found is not None else anchor, broken


def _notes(environment: Environment, memory: Memory) -> list[str]:
    notes = [NOBODY] if environment.policy.alerts is None else []
    if memory.away is not None:
        notes.append(f"the store keeps no memory of this round, which stays on this host: {memory.away}")
    return notes
