"""By when a run of each tier must have ended, from the policy's targets; whoever is told of it otherwise."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from airflow.sdk import BaseNotifier
from airflow.sdk.definitions.callback import SyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from holdfast.policy import EnvironmentPolicy
from holdfast.policy.model import DUMP_TIERS
from holdfast.values.duration import Duration

_LEAST = timedelta(hours=1)
"""A task is tried again for a quarter of an hour, and a run may wait for the one before it: no sooner than this."""
_MOST = timedelta(hours=6)
_READING = timedelta(hours=24)
_WAL_GRACE = timedelta(minutes=30)
_TAKING = (*DUMP_TIERS, "media")
_RESTORING = ("restore_check", "pitr_check", "restore_drill", "pitr_drill")
_DRILLS = ("restore_drill", "pitr_drill")


def deadline(after: timedelta, notifier: type[BaseNotifier], told: Mapping[str, str]) -> DeadlineAlert:
    """A deadline so long after a run was queued; runs by hand have no logical date, by which there would be none.

    The interval is a number of seconds: Airflow 3.3 stores a timedelta in a form that it cannot read when somebody
    clears a task of the run, which then fails with HTTP 500. Numbers are what earlier versions stored, and are read.
    """
    return DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=after.total_seconds(),  # type: ignore[arg-type]
        callback=SyncCallback(notifier, kwargs=dict(told)),
    )


def deadline_of(policy: EnvironmentPolicy, tier: str) -> timedelta:
    """How long after a run of ``tier`` was queued it must have ended well.

    What takes restore points may need half of the RPO, so that a second run still keeps it; where WAL is streamed, the
    RPO does not hang on them. What restores may need twice the RTO, and in a drill the time that people have to agree.
    Both one hour at least and six at most, which is also what holds where there is no target. A run that streams WAL
    ends by itself after ``wal.run``, and what reads stored bytes back has a day.
    """
    if tier == "wal":
        return _span(policy.wal.run) + _WAL_GRACE
    if tier == "base_backup":
        return _MOST + _span(policy.wal.wait_for_wal)
    if tier in _RESTORING:
        answers = policy.approval.needed * _span(policy.approval.within) if tier in _DRILLS else timedelta()
        return _within(_span(policy.targets.rto) * 2 if policy.targets.rto else _MOST) + answers
    if tier in _TAKING:
        hangs_on_it = policy.targets.rpo is not None and "wal" not in policy.tiers
        return _within(_span(policy.targets.rpo) / 2 if hangs_on_it else _MOST)
    return _READING


def _span(duration: Duration | None) -> timedelta:
    return timedelta(seconds=duration.as_seconds) if duration is not None else timedelta()


def _within(interval: timedelta) -> timedelta:
    return max(_LEAST, min(interval, _MOST))
