"""What was proven of backups, and when: drills, restore checks, and reading stored bytes back, as samples."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from itertools import groupby

from holdfast.metrics.sample import Sample, age, samples_at
from holdfast.watch.facts import CheckedFacts, EnvironmentFacts


def drill_samples(facts: EnvironmentFacts, now: datetime) -> Iterator[Sample]:
    """Of each kind of drill the newest, and the newest that counts; of each tier the newest restore check."""
    place = (facts.app, facts.environment)
    by_kind = groupby(sorted(facts.tried, key=lambda tried: (tried.kind, tried.finished_at)), lambda tried: tried.kind)
    for kind, group in by_kind:
        tried = list(group)
        good = [one for one in tried if one.verdict == "passed" and one.is_closed]
        yield from samples_at(place, {"drill_ok": tried[-1].verdict == "passed"}, kind)
        if good:
            at = good[-1].finished_at
            known = {"drill_timestamp_seconds": at.timestamp(), "drill_age_seconds": age(at, now)}
            yield from samples_at(place, {**known, "drill_rto_seconds": good[-1].rto_seconds}, kind)
    checked = sorted((p for p in facts.points if p.restore_checked_at is not None), key=lambda p: p.opened_at)
    for point in {point.tier: point for point in checked}.values():
        known = {"restore_check_ok": point.restore_check == "passed"}
        seen = {"restore_check_age_seconds": age(point.restore_checked_at, now)}
        yield from samples_at(place, {**known, **seen}, point.tier)


def reading_samples(facts: EnvironmentFacts, now: datetime) -> Iterator[Sample]:
    """The newest checks that read media and WAL back."""
    place = (facts.app, facts.environment)
    newest = {check.kind: check for check in sorted(facts.checked, key=_checked_at)}
    for kind, check in newest.items():
        yield from samples_at(
            place, {f"{kind}_ok": not check.faults, f"{kind}_age_seconds": age(check.checked_at, now)}
        )
    if "media_check" in newest:
        yield from samples_at(place, {"media_unread_age_seconds": age(newest["media_check"].oldest_unread_at, now)})


def _checked_at(check: CheckedFacts) -> datetime:
    return check.checked_at
