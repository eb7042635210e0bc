"""What is said of an environment in numbers: purely from facts, and in the form that Prometheus reads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from holdfast.metrics.exposition import exposition
from holdfast.metrics.gauges import WatchFigures, samples_of
from holdfast.metrics.names import METRICS, metric
from holdfast.metrics.sample import Sample
from holdfast.policy import EnvironmentPolicy
from holdfast.watch.facts import (
    CheckedFacts,
    EnvironmentFacts,
    FaultyPoint,
    GuardFacts,
    PointFacts,
    RotationFacts,
    SpaceSample,
    TriedFacts,
    Trouble,
    UnfinishedPoint,
    WalFacts,
    WalGapFacts,
)
from holdfast.watch.finding import SEVERITIES, Finding

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = EnvironmentPolicy.model_validate(
    {
        "targets": {"rpo": "24h", "rto": "1h"},
        "database": {"conn_id": "db", "pitr": "streaming"},
        "media": {"source": "file:///srv/media"},
        "store": {"url": "file:///srv/store"},
        "keys": {"recipients": ["age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"]},
        "tiers": {
            "nightly": {"schedule": "0 2 * * *", "keep": "35d"},
            "monthly": {"schedule": "0 3 1 * *", "keep": "12mo"},
            "media_check": {"schedule": "0 5 * * 6"},
        },
        "alerts": {"conn_id": "pager", "space_limit": "10GiB"},
    }
)


def point(tier: str, age: timedelta, **more: object) -> PointFacts:
    at = NOW - age
    fields = {"id": f"{at}-{tier}", "tier": tier, "opened_at": at, "committed_at": at, "seconds": 60.0, "bytes": 1000}
    return PointFacts.model_validate(fields | more)


def tried(kind: str, age: timedelta, **more: object) -> TriedFacts:
    at = NOW - age
    fields = {"id": f"{at}", "kind": kind, "opened_at": at, "finished_at": at, "verdict": "passed", "is_closed": True}
    return TriedFacts.model_validate(fields | {"restore_point": "p", "rto_seconds": 120.0} | more)


def finding(kind: str, severity: str, subject: str = "") -> Finding:
    texts = dict.fromkeys(("text", "meaning", "advice", "runbook"), "x")
    fields = {"id": f"{kind}/{subject}", "thread": kind, "kind": kind, "severity": severity, "subject": subject}
    return Finding.model_validate(fields | texts | {"app": "shop", "environment": "production", "since": None})


def facts(**more: object) -> EnvironmentFacts:
    fields = {"app": "shop", "environment": "production", "read_at": NOW, "since": NOW - 1000 * HOUR}
    return EnvironmentFacts.model_validate(fields | more)


def values(known: EnvironmentFacts, *findings: Finding, watched: WatchFigures | None = None) -> dict[str, float]:
    """The samples by name and labels behind app and environment: ``restore_points nightly``."""
    samples = samples_of(known, findings, POLICY, NOW, watched)
    assert all(sample.labels[:2] == ("shop", "production") for sample in samples)
    keys = [" ".join([sample.metric.name.removeprefix("holdfast_"), *sample.labels[2:]]) for sample in samples]
    assert len(keys) == len(set(keys))
    return dict(zip(keys, (sample.value for sample in samples), strict=True))


FULL = facts(
    points=(
        point("nightly", 34 * HOUR, rows=7, bytes=500),
        point("nightly", 10 * HOUR, rows=42, restore_check="failed", restore_checked_at=NOW - 5 * HOUR),
        point("media", 3 * HOUR),
        point("base_backup", 50 * HOUR),
    ),
    counts={"nightly": 35, "media": 90, "base_backup": 2},
    faulty=(FaultyPoint(id="f", tier="nightly", opened_at=NOW, kind="artifact_missing", text="x"),),
    unfinished=(UnfinishedPoint(id="u", tier="monthly", opened_at=NOW, last_written_at=NOW),),
    tried=(
        tried("restore_drill", 900 * HOUR, rto_seconds=4000.0),
        tried("restore_drill", 100 * HOUR, rto_seconds=3000.0),
        tried("restore_drill", 2 * HOUR, verdict="failed", rto_seconds=None),
        tried("restore_check", 3 * HOUR),
        tried("pitr_drill", 1 * HOUR, is_closed=False, rto_seconds=90.0),
    ),
    checked=(
        CheckedFacts(id="m", kind="media_check", checked_at=NOW - 9 * HOUR, oldest_unread_at=NOW - 70 * HOUR),
        CheckedFacts(id="w", kind="wal_check", checked_at=NOW - 8 * HOUR, faults=("x",)),
    ),
    wal=WalFacts(
        system_identifier="7",
        status_at=NOW - timedelta(seconds=40),
        caught_up_at=NOW - timedelta(seconds=50),
        behind_bytes=10,
        retained_bytes=20,
        gaps=tuple(
            WalGapFacts(
                system_identifier="7", timeline=1, first="a", last="b", begins_at=None, ends_at=None, is_healed=healed
            )
            for healed in (True, True, False)
        ),
        faults=("x",),
    ),
    guard=(GuardFacts(name="versioning", is_blocking=False, text="x", hint=None),),
    rotations=(RotationFacts(name="SECRET", rotate_by=NOW.date(), owner="o", rotated_by=()),),
    space=(
        SpaceSample(at=NOW, held_bytes=9, free_bytes=90),
        SpaceSample(at=NOW - 24 * HOUR, held_bytes=8, free_bytes=91),
    ),
)
WATCHED = WatchFigures(recorded_at=NOW - HOUR, open_alerts={"page": 2}, undelivered=1)


def test_newest_point_of_each_tier_is_told() -> None:
    """Its instant, age, duration, size and rows; rows only where it counts them."""
    found = values(FULL)
    assert found["restore_point_timestamp_seconds nightly"] == (NOW - 10 * HOUR).timestamp()
    assert found["restore_point_age_seconds nightly"] == 36_000
    assert found["restore_point_duration_seconds nightly"] == 60
    assert found["restore_point_bytes nightly"] == 1000
    assert found["restore_point_rows nightly"] == 42
    assert found["restore_point_age_seconds media"] == 10_800
    assert "restore_point_rows media" not in found


def test_tier_without_points_is_told_as_none() -> None:
    """A tier of the policy that nothing was stored for would be missing otherwise; one that checks has no points."""
    found = values(FULL)
    assert found["restore_points nightly"] == 35
    assert found["restore_points monthly"] == 0
    assert found["restore_points_faulty nightly"] == 1
    assert found["restore_points_unfinished monthly"] == 1
    assert "restore_point_age_seconds monthly" not in found
    assert "restore_points media_check" not in found


def test_rpo_is_the_age_of_what_can_be_restored() -> None:
    """By WAL where a base backup stands before it, by restore points elsewhere, and never by media."""
    assert values(FULL)["rpo_actual_seconds"] == 50
    no_base = FULL.model_copy(update={"points": tuple(p for p in FULL.points if p.tier != "base_backup")})
    assert values(no_base)["rpo_actual_seconds"] == 36_000
    media_alone = FULL.model_copy(update={"points": (point("media", HOUR),)})
    assert values(media_alone)["rpo_actual_seconds"] == 3_600_000
    assert "rpo_actual_seconds" not in values(facts(since=None))


def test_base_backup_after_the_wal_restores_nothing_by_it() -> None:
    """WAL up to a moment before the base backup ended cannot be replayed onto it."""
    late = FULL.model_copy(update={"points": (point("base_backup", timedelta(seconds=10)), point("nightly", HOUR))})
    assert values(late)["rpo_actual_seconds"] == 3600


def test_targets_are_the_policy_s() -> None:
    """In seconds; the newest measurement is of whatever drill or check ended last with one."""
    found = values(FULL)
    assert (found["rpo_target_seconds"], found["rto_target_seconds"]) == (86_400, 3600)
    assert found["rto_actual_seconds"] == 90


def test_drill_counts_once_it_has_passed_and_was_agreed_to() -> None:
    """The newest one failed: that is told, and the age is of the one before it that counts."""
    found = values(FULL)
    assert found["drill_ok restore_drill"] == 0
    assert found["drill_age_seconds restore_drill"] == 360_000
    assert found["drill_timestamp_seconds restore_drill"] == (NOW - 100 * HOUR).timestamp()
    assert found["drill_rto_seconds restore_drill"] == 3000
    assert found["drill_ok restore_check"] == 1
    assert found["drill_ok pitr_drill"] == 1
    assert "drill_age_seconds pitr_drill" not in found


def test_checks_are_told() -> None:
    """Restore checks by tier, and what read stored bytes back."""
    found = values(FULL)
    assert (found["restore_check_ok nightly"], found["restore_check_age_seconds nightly"]) == (0, 18_000)
    assert "restore_check_ok media" not in found
    assert (found["media_check_ok"], found["media_check_age_seconds"]) == (1, 32_400)
    assert found["media_unread_age_seconds"] == 252_000
    assert (found["wal_check_ok"], found["wal_check_age_seconds"]) == (0, 28_800)


def test_wal_is_told() -> None:
    """What is not known is left out: a limit that the server does not have."""
    found = values(FULL)
    assert (found["wal_lag_seconds"], found["wal_status_age_seconds"]) == (50, 40)
    assert (found["wal_behind_bytes"], found["wal_slot_retained_bytes"]) == (10, 20)
    assert (found["wal_gaps"], found["wal_gaps_healed"], found["wal_faults"], found["wal_slot_lost"]) == (1, 2, 1, 0)
    assert "wal_slot_safe_bytes" not in found
    assert not [name for name in values(facts()) if name.startswith("wal_")]


def test_every_finding_is_counted_and_every_other_kind_is_zero() -> None:
    """A gauge that were left out once its finding is gone would stay what it was."""
    found = values(
        FULL, finding("too_small", "page", "a"), finding("too_small", "page", "b"), finding("late", "notify")
    )
    counts = {name: value for name, value in found.items() if name.startswith("findings ")}
    assert {name: value for name, value in counts.items() if value} == {
        "findings page too_small": 2,
        "findings notify late": 1,
    }
    assert len(counts) == 2 * len(SEVERITIES)


def test_kind_that_is_not_listed_is_told() -> None:
    """One that a newer version has found."""
    assert values(FULL, finding("unheard_of", "page"))["findings page unheard_of"] == 1


def test_watch_and_space_are_told() -> None:
    """Its record and open alerts where a watch has left one; the newest sample of space."""
    found = values(FULL, watched=WATCHED)
    assert found["watch_record_timestamp_seconds"] == (NOW - HOUR).timestamp()
    assert (found["open_alerts page"], found["open_alerts notify"], found["alerts_undelivered"]) == (2, 0, 1)
    assert (found["store_held_bytes"], found["store_free_bytes"]) == (9, 90)
    assert found["store_limit_bytes"] == 10 << 30
    assert (found["rotations_due"], found["store_guard_faults"]) == (1, 1)
    assert "open_alerts page" not in values(FULL)


def test_nothing_is_told_of_a_store_that_is_away() -> None:
    """But that it is, and what the watch makes of it: points that were not listed are not none."""
    trouble = Trouble(kind="store_unreachable", subject="x", text="x")
    found = values(facts(troubles=(trouble,)), finding("store_unreachable", "page"), watched=WATCHED)
    assert found["up"] == 0
    assert found["findings page store_unreachable"] == 1
    told = {name.partition(" ")[0] for name in found}
    assert told == {"up", "findings", "open_alerts", "alerts_undelivered", "watch_record_timestamp_seconds"}
    broken = Trouble(kind="audit_broken", subject="x", text="x")
    assert values(facts(troubles=(broken,)))["up"] == 1


def test_clock_of_the_store_may_be_ahead() -> None:
    """An age is never negative, which StatsD would take for a change."""
    ahead = facts(points=(point("nightly", -HOUR),))
    assert values(ahead)["restore_point_age_seconds nightly"] == 0


def test_every_gauge_that_is_known_without_tasks_can_be_told() -> None:
    """The list promises nothing that is never said."""
    safe = FULL.model_copy(update={"wal": FULL.wal.model_copy(update={"safe_bytes": 5}) if FULL.wal else None})
    told = {sample.metric.name for sample in samples_of(safe, (), POLICY, NOW, WATCHED)}
    assert told == {found.name for found in METRICS.values() if not found.is_of_tasks}


def test_exposition_reads_back_as_it_was() -> None:
    """Each metric once with help and type, every sample with its labels and its value."""
    samples = samples_of(FULL, (), POLICY, NOW, WATCHED)
    families = list(text_string_to_metric_families(exposition(samples)))
    assert len({family.name for family in families}) == len(families)
    read = {(one.name, *sorted(one.labels.items())): one.value for family in families for one in family.samples}
    assert read == {(one.metric.name, *sorted(one.tags.items())): one.value for one in samples}
    assert all(family.documentation == METRICS[family.name].help for family in families)
    assert {family.type for family in families} == {"gauge"}


@pytest.mark.parametrize("strange", ['a"b', "a\\b", "a\nb", "ü{}=,"])
def test_labels_are_escaped(strange: str) -> None:
    """Whatever a policy file is called, the text stays readable."""
    text = exposition([Sample(metric("up"), (strange, ""), 0)])
    ((sample,),) = [family.samples for family in text_string_to_metric_families(text)]
    assert sample.labels == {"app": strange, "environment": ""}


def test_names_follow_prometheus() -> None:
    """Base units at the end of the name, times since 1970 as timestamps, and no two that mean the same."""
    for found in METRICS.values():
        assert found.name.startswith("holdfast_") and found.name.isascii() and found.name.islower()
        assert found.help.endswith(".") and found.help[0].isupper()
        if found.unit in ("seconds", "bytes", "rows"):
            assert found.name.endswith(f"_{found.unit}"), found
        assert ("since 1970" in found.help) == ("_timestamp_" in found.name), found
        assert found.labels[:2] == ("app", "environment")
        assert found.stat == found.name.replace("_", ".", 1)
