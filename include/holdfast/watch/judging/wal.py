"""WAL that is not stored, missing or damaged, and what the slot holds back on the source."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from holdfast.values import figures
from holdfast.watch.facts import WalFacts, WalGapFacts
from holdfast.watch.judging.case import Case, Findings, age, sentence
from holdfast.watch.judging.drills import overdue_slot

_TIER: Final = "wal"
_CHECK = "wal_check"
_CHECK_GRACE = timedelta(days=1)
_NEARLY_DROPPED = 0.25


def judge_wal(case: Case) -> Findings:
    """All of an environment whose WAL is streamed by us; a provider's own recovery is not ours to judge."""
    if case.policy.database.pitr != "streaming" or not case.has(_TIER):
        return
    wal = case.facts.wal
    if wal is None or (wal.status_at is None and wal.newest_at is None):
        yield from _never_streamed(case)
    else:
        yield from _lag(case, wal)
        yield from _retention(case, wal)
    yield from _gaps(case, wal.gaps if wal is not None else (), wal.lost if wal is not None else None)
    yield from _damage(case, *((wal.faults, wal.healed_faults) if wal is not None else ((), ())))
    yield from _check_overdue(case)


def _never_streamed(case: Case) -> Findings:
    since = case.demanded_since(_TIER)
    if case.policy.tiers[_TIER].schedule is None or (since is not None and case.now - since <= case.late_after):
        return
    yield case.finding(
        "never_started",
        _TIER,
        f"no WAL of {case.facts.app} {case.facts.environment} has ever been stored: streaming has never begun",
        since=since,
        meaning="There is no point-in-time recovery: all since the newest restore point would be lost with the server.",
        advice=_to_stream(case),
        tier=_TIER,
    )


def _to_stream(case: Case) -> str:
    return (
        f"Is the DAG {case.dag(_TIER)} unpaused, does a worker take tasks of the queue wal? {case.command('doctor')} "
        f"names what hinders it; {case.command('wal stream')} does the same from a shell."
    )


def _lag(case: Case, wal: WalFacts) -> Findings:
    known = [moment for moment in (wal.caught_up_at, None if wal.caught_up_at else wal.newest_at) if moment is not None]
    stored = known[0] if known else case.demanded_since(_TIER)
    if stored is None:
        return
    lag, limits = case.now - stored, case.policy.wal
    if lag <= timedelta(seconds=limits.lag_warning.as_seconds):
        return
    behind = f", {figures.size(wal.behind_bytes)} behind" if wal.behind_bytes else ""
    told = f"; the streamer last said how it is at {case.when(wal.status_at)}" if wal.status_at else ""
    yield case.finding(
        "wal_lag",
        _TIER,
        f"WAL is stored up to {case.when(stored)}, {age(lag)} ago{behind}{told}",
        since=stored,
        meaning="What is not stored is lost with the server, and piles up on its disk until it is fetched.",
        advice=_to_stream(case),
        tier=_TIER,
        severity="page" if lag > timedelta(seconds=limits.lag_page.as_seconds) else "notify",
    )


def _retention(case: Case, wal: WalFacts) -> Findings:
    limits, held = case.policy.wal, wal.retained_bytes
    if held is None:
        return
    safe = wal.safe_bytes
    is_nearly_dropped = safe is not None and held > 0 and safe < _NEARLY_DROPPED * (held + safe)
    if held < limits.retained_warning and not is_nearly_dropped:
        return
    left = f"; after {figures.size(max(0, safe))} more the server drops the slot" if safe is not None else ""
    yield case.finding(
        "slot_retention",
        _TIER,
        f"the replication slot holds {figures.size(held)} of WAL back on the source{left}",
        since=wal.caught_up_at,
        meaning="It fills the disk of the database server, which stops when that is full."
        if safe is None
        else "Once the slot is dropped, WAL is missing for ever, and a new base backup is needed.",
        advice=f"Bring the streaming back first. {_to_stream(case)} Only if the disk is about to fill: "
        f"{case.command('wal drop-slot', '--i-understand-a-gap')}, then {case.command('base-backup')}.",
        tier=_TIER,
        severity="page" if held >= limits.retained_page or is_nearly_dropped else "notify",
    )


def _gaps(case: Case, gaps: tuple[WalGapFacts, ...], lost: str | None) -> Findings:
    """A gap that a later base backup has closed off costs nobody sleep: it is shown with the windows."""
    mend = f"{case.command('base-backup')} begins a new window now; {case.command('pitr window')} shows what is left."
    meaning = "Nothing behind it can be recovered to from an earlier base backup, until there is a newer one."
    if lost is not None:
        text = f"WAL was lost: {sentence((lost,))}"
        yield case.finding("wal_gap", "slot", text, meaning=meaning, advice=mend, tier=_TIER)
    for gap in gaps:
        if gap.is_healed:
            continue
        names = gap.first if gap.first == gap.last else f"{gap.first} to {gap.last}"
        yield case.finding(
            "wal_gap",
            gap.first,
            f"WAL {names} of timeline {gap.timeline} is missing in the store{_around(case, gap)}",
            since=gap.begins_at,
            meaning=meaning,
            advice=f"Does a spool or the server itself still have it? The DAG {case.dag(_TIER)} stores what it finds. "
            f"If not: {mend}",
            tier=_TIER,
        )


def _around(case: Case, gap: WalGapFacts) -> str:
    begins = f" from {case.when(gap.begins_at)}" if gap.begins_at is not None else ""
    return f"{begins} to {case.when(gap.ends_at)}" if gap.ends_at is not None else begins


def _damage(case: Case, faults: tuple[str, ...], healed: tuple[str, ...]) -> Findings:
    checks = [check for check in case.facts.checked if check.kind == _CHECK]
    newest = max(checks, key=lambda check: (check.checked_at, check.id), default=None)
    since: datetime | None = None
    if newest is not None and newest.faults:
        # What a check has found is known by its key, and a base backup taken since may have put it behind.
        told = (*faults, *healed)
        more = [fault for fault in newest.faults if not any(fault in text for text in told)]
        faults, since = (*faults, *more), newest.checked_at
    if not faults:
        return
    yield case.finding(
        "wal_damaged",
        _TIER,
        f"{len(faults)} pieces of WAL are not as they were stored: {sentence(faults)}"
        if len(faults) > 1
        else f"a piece of WAL is not as it was stored: {sentence(faults)}",
        since=since,
        meaning="Instants before the damage can be recovered to, those behind it only from a base backup behind it.",
        advice=f"{case.command('base-backup')} begins a new window now, then {case.command('wal check', '--all')}. "
        f"Look who changed the object: the bucket's log, old object versions. {case.who('database_admin')} is told.",
        tier=_TIER,
        dag=_CHECK,
    )


def _check_overdue(case: Case) -> Findings:
    slot = overdue_slot(case, _CHECK, _CHECK_GRACE)
    checks = [check.checked_at for check in case.facts.checked if check.kind == _CHECK]
    if slot is None or any(checked >= slot.opens_at for checked in checks):
        return
    last = f"the last one was {case.when(max(checks))}" if checks else "there never was one"
    yield case.finding(
        "verification_overdue",
        _CHECK,
        f"WAL was not checked at {case.when(slot.due_at)}; {last}",
        since=slot.due_at,
        meaning="Missing or damaged WAL would be found in an emergency only.",
        advice=f"Trigger {case.dag(_CHECK)}, or run {case.command('wal check')}.",
        tier=_CHECK,
    )
