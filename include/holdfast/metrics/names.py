"""Every metric by its name: what it says, in which unit, and for what it is told apart (docs/metrics.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Kind = Literal["gauge", "timing"]
PREFIX = "holdfast_"
_PLACE = ("app", "environment")


@dataclass(frozen=True, slots=True)
class Metric:
    """``name`` as Prometheus has it; what ``is_of_tasks`` only tasks know, and only Airflow's statistics tell."""

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    help: str
    is_of_tasks: bool = False

    @property
    def stat(self) -> str:
        """The name in Airflow's statistics, where tags tell it apart; Airflow puts its own prefix before it."""
        return "holdfast." + self.name.removeprefix(PREFIX)


def _of(unit: str, *labels: str, **helps: str) -> tuple[Metric, ...]:
    """Gauges of an environment that share unit and labels."""
    return tuple(Metric(PREFIX + name, "gauge", unit, (*_PLACE, *labels), help) for name, help in helps.items())


_POINTS = (
    *_of("points", "tier", restore_points="Committed restore points, base backups or media snapshots of the tier."),
    *_of(
        "points",
        "tier",
        restore_points_faulty="Committed points whose signature, artifacts or encryption are not as they must be.",
        restore_points_unfinished="Points that were opened and are not committed.",
    ),
    *_of(
        "seconds",
        "tier",
        restore_point_timestamp_seconds="The instant that the newest committed point was opened at, since 1970.",
        restore_point_age_seconds="How long ago the newest committed point was opened.",
        restore_point_duration_seconds="How long the data of the newest committed point was being taken.",
    ),
    *_of("bytes", "tier", restore_point_bytes="What the newest committed point added to the store."),
    *_of("rows", "tier", restore_point_rows="Rows in the newest committed point, where it counts them."),
)
_TARGETS = _of(
    "seconds",
    rpo_target_seconds="How much of the past may be lost at most, by the policy.",
    rpo_actual_seconds="How much of the past would be lost if the database were lost now.",
    rto_target_seconds="How long a restore may take at most, by the policy.",
    rto_actual_seconds="How long the newest restore drill or restore check needed that was measured.",
)
_PROOFS = (
    *_of("1 or 0", "kind", drill_ok="Whether the newest drill or restore check of its kind has passed."),
    *_of(
        "seconds",
        "kind",
        drill_timestamp_seconds="When the newest one ended that has passed and was agreed to, since 1970.",
        drill_age_seconds="How long ago that was.",
        drill_rto_seconds="How long its restore took.",
    ),
    *_of("1 or 0", "tier", restore_check_ok="Whether the newest point of the tier that was checked has passed."),
    *_of("seconds", "tier", restore_check_age_seconds="How long ago that check was."),
    *_of(
        "1 or 0",
        media_check_ok="Whether the newest check that read media shards back found them intact.",
        wal_check_ok="Whether the newest check that read WAL back found it intact.",
    ),
    *_of(
        "seconds",
        media_check_age_seconds="How long ago media shards were last read back.",
        media_unread_age_seconds="How long the media content longest unread was not read back.",
        wal_check_age_seconds="How long ago WAL was last read back.",
    ),
)
_WAL = (
    *_of(
        "seconds",
        wal_lag_seconds="How long ago the last moment was of which all WAL is stored.",
        wal_status_age_seconds="How long ago the streamer last said how it is.",
    ),
    *_of(
        "bytes",
        wal_behind_bytes="WAL that the source has written and the store has not.",
        wal_slot_retained_bytes="WAL that the replication slot makes the source keep.",
        wal_slot_safe_bytes="WAL that the source may still write before it drops the slot, where it has a limit.",
    ),
    *_of("1 or 0", wal_slot_lost="Whether the slot was invalidated, or WAL was lost."),
    *_of(
        "gaps",
        wal_gaps="Stretches of WAL that are missing in the store, with no usable base backup behind them.",
        wal_gaps_healed="Stretches of WAL that are missing, but lie before a base backup that can be used.",
    ),
    *_of("faults", wal_faults="What is wrong with stored WAL besides gaps."),
)
_WATCH = (
    *_of("1 or 0", up="Whether the store of the environment could be read."),
    *_of("seconds", read_timestamp_seconds="When the store was read for these metrics, since 1970."),
    *_of("findings", "severity", "kind", findings="What is not as it must be now, by `holdfast status`."),
    *_of("alerts", "severity", open_alerts="Alerts that were raised and are not resolved."),
    *_of("alerts", alerts_undelivered="Messages that nobody could be given yet."),
    *_of(
        "seconds",
        watch_record_timestamp_seconds="When the watch last left a record in the store, since 1970: with each change, "
        "and once a day.",
    ),
    Metric(
        "holdfast_watch_last_round_timestamp_seconds",
        "gauge",
        "seconds",
        _PLACE,
        "When the last round of the watch ended, since 1970.",
        is_of_tasks=True,
    ),
    Metric(
        "holdfast_watch_round_seconds",
        "gauge",
        "seconds",
        _PLACE,
        "How long the last round of the watch took, of all environments together.",
        is_of_tasks=True,
    ),
    *_of("variables", rotations_due="Variables of the inventory whose secret is due to be rotated."),
    *_of("findings", store_guard_faults="What the store guard found wrong with the settings of the store."),
)
_SPACE = _of(
    "bytes",
    store_held_bytes="What the store holds of the environment, by its manifests.",
    store_free_bytes="What the disk of a local store has free.",
    store_limit_bytes="What the store may hold of the environment, by the policy.",
)
_TASK = (*_PLACE, "tier", "task", "operator")
_TASKS = (
    Metric(
        "holdfast_task_duration",
        "timing",
        "milliseconds",
        (*_TASK, "outcome"),
        "How long a try of a task was at work in the engine.",
        is_of_tasks=True,
    ),
    Metric(
        "holdfast_task_bytes", "gauge", "bytes", _TASK, "What the last try stored, read or deleted.", is_of_tasks=True
    ),
    Metric("holdfast_task_rows", "gauge", "rows", _TASK, "Rows that the last try counted.", is_of_tasks=True),
)

METRICS: Mapping[str, Metric] = MappingProxyType(
    {metric.name: metric for metric in (*_WATCH, *_TARGETS, *_POINTS, *_PROOFS, *_WAL, *_SPACE, *_TASKS)}
)
"""By name, in the order in which people are shown them."""


def metric(name: str) -> Metric:
    """The metric ``name``, given without the prefix; KeyError for a name that is not in the list."""
    return METRICS[PREFIX + name]
