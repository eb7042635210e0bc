"""Backups that nobody has proved, restores that failed, and those that take too long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from evidence_factory import drill_id, failed_evidence, make_closing, make_evidence
from holdfast.evidence.records import write_closing, write_evidence
from holdfast.values.ids import RestorePointId
from point_factory import store_check
from provoking_site import LAST_NIGHT, NIGHT, UNSCHEDULED, Expected, Provoked, Scenario, Steps

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
# A point of the site is committed so long after it was opened.
TAKES = timedelta(seconds=70)


def verification_overdue(site: Provoked) -> Steps:
    """Taken by a host without identity, and tried nowhere for a week."""
    site.arrange(UNSCHEDULED)
    ids = [site.point(LAST_NIGHT - number * NIGHT, is_decrypted=False) for number in range(7)]
    first = ids[-1].opened_at + TAKES
    site.come_to(first + 7 * NIGHT)
    yield None
    yield Expected(
        f"nightly restore point {ids[-1]}",
        f"`holdfast verify POLICY production {ids[0]}`",
        since=first,
        due_at=first + 7 * NIGHT,
    )
    _check(site, ids[0])
    yield None


def restore_check_failed(site: Provoked) -> Steps:
    """The record of a check that has restored and counted, and missed a row."""
    site.arrange(UNSCHEDULED)
    for id in site.nights(3):
        _check(site, id, id.opened_at + HOUR)
    yield None
    bad = site.point()
    _check(site, bad, passed=False)
    yield Expected(
        f"nightly restore point {bad} did not pass its restore check", "`holdfast hold add POLICY", since=site.now
    )
    _check(site, site.point(site.now + MINUTE), site.now + 2 * MINUTE)
    yield None


def restore_check_overdue(site: Provoked) -> Steps:
    """A committed restore point that nobody has restored."""
    site.arrange(f"{UNSCHEDULED}, restore_check: {{}}")
    *ids, waiting = site.nights(4)
    for id in ids:
        _check(site, id, id.opened_at + HOUR)
    due_at = waiting.opened_at + TAKES + 6 * HOUR
    site.come_to(due_at)
    yield None
    yield Expected(
        f"nightly restore point {waiting}",
        f"`holdfast drill POLICY production {waiting}`",
        since=waiting.opened_at + TAKES,
        due_at=due_at,
    )
    _check(site, waiting)
    yield None


def _check(site: Provoked, id: RestorePointId, at: datetime | None = None, *, passed: bool = True) -> None:
    environment = site.environment()
    store_check(environment.catalog, environment.signer(), id, at or site.now, passed=passed)


def drill_failed(site: Provoked) -> Steps:
    """The evidence of a drill whose counts are off by a row."""
    site.arrange(UNSCHEDULED)
    site.nights(3)
    _drill(site, LAST_NIGHT)
    yield None
    evidence = failed_evidence(drill_id("failed", opened_at=site.now))
    write_evidence(site.environment(), evidence)
    yield Expected(
        f"restore_drill {evidence.id} of {evidence.restore_point} failed",
        f"`holdfast evidence show POLICY production {evidence.id}`",
        since=evidence.finished_at,
    )
    _drill(site, site.now + MINUTE)
    yield None


def drill_overdue(site: Provoked) -> Steps:
    """A quarter's drill that nobody holds."""
    site.arrange(f'{UNSCHEDULED}, restore_drill: {{schedule: "0 9 1 1,4,7,10 *"}}')
    site.nights(3)
    _drill(site, datetime(2026, 10, 1, 9, 0, tzinfo=UTC))
    slot = datetime(2027, 1, 1, 9, 0, tzinfo=UTC)
    site.come_to(slot + 3 * NIGHT)
    yield None
    yield Expected(
        "the restore_drill due at Fri 1 Jan 2027 09:00 UTC was not held",
        "`holdfast drill POLICY production`",
        since=slot,
        due_at=slot + 3 * NIGHT,
    )
    _drill(site, site.now)
    yield None


def _drill(site: Provoked, at: datetime) -> None:
    """A drill that passed, and to which somebody has agreed."""
    evidence = make_evidence(drill_id(f"drill {at}", opened_at=at))
    write_evidence(site.environment(), evidence)
    write_closing(site.environment(), make_closing(evidence, "dora.dba"), evidence)


def rto_exceeded(site: Provoked) -> Steps:
    """A restore check that passed, after longer than was agreed."""
    site.arrange(UNSCHEDULED, "targets: {rto: 1h}")
    site.nights(3)
    _measured(site, LAST_NIGHT, 1200)
    yield None
    _measured(site, site.now, 4000)
    yield Expected(
        "until the application could have run again; the RTO is 1h",
        "decides whether the target still fits",
        since=site.now + timedelta(seconds=31),
    )
    _measured(site, site.now + MINUTE, 1300)
    yield None


def _measured(site: Provoked, at: datetime, seconds: float) -> None:
    id = drill_id(f"check {at}", kind="restore_check", opened_at=at)
    write_evidence(site.environment(), make_evidence(id, restore_seconds=seconds))


SCENARIOS = tuple(
    Scenario(play.__name__, play)
    for play in (
        verification_overdue,
        restore_check_failed,
        restore_check_overdue,
        drill_failed,
        drill_overdue,
        rto_exceeded,
    )
)
