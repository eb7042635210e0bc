"""By when each DAG's runs must have ended, and who is told of those that have not, or that failed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.definitions.callback import SyncCallback
from airflow.serialization.serialized_objects import DagSerialization

from holdfast.policy import EnvironmentPolicy, load_policy
from holdfast_airflow.notifiers import HoldfastNotifier, WatchNotifier
from holdfast_dags import OPERATIONS, protect
from holdfast_dags.deadlines import deadline_of
from holdfast_dags.watch import watch

HOUR = timedelta(hours=1)
TIERS = {
    "nightly": {"schedule": "0 2 * * *", "keep": "35d"},
    "monthly": {"schedule": "0 3 1 * *", "keep": "12mo"},
    "snapshot": {"keep": "90d"},
    "wal": {"schedule": "continuous", "keep": "7d"},
    "base_backup": {"keep": "14d"},
    "wal_check": {"schedule": "0 6 * * *"},
    "pitr_check": {"schedule": "0 7 * * 6"},
    "media": {"schedule": "0 14 * * *"},
    "media_check": {"schedule": "0 5 * * 6"},
    "restore_check": {},
    "restore_drill": {"schedule": "0 9 1 1,4,7,10 *"},
}
BY_HAND = {"snapshot", "expire", "pitr_drill", *OPERATIONS}
Write = Callable[..., Path]
Section = Callable[..., dict[str, Any]]


@pytest.fixture
def module(write_app: Write, environment: Section) -> Path:
    """An app with an environment that has everything."""
    migration = {"app_dir": "/srv/shop", "command": "pnpm db:migrate"}
    media = {"source": "file:///srv/media"}
    database = {"conn_id": "demo_db", "pitr": "streaming"}
    section = environment(tiers=TIERS, database=database, media=media, migration=migration)
    return write_app("demo", production=section)


@pytest.fixture
def dags(module: Path) -> dict[str, DAG]:
    """Its DAGs by tier, and the watch."""
    made = {id.partition(".")[2]: dag for id, dag in protect(str(module)).items()}
    return made | {"watch": watch(str(module.with_name("holdfast_watch.py")))}


def test_every_failed_run_is_told_once(dags: dict[str, DAG]) -> None:
    """By the DAG's callback, of which Airflow also knows from what it stores; no task tells on its own."""
    assert set(dags) == {*TIERS, *BY_HAND, "watch"}
    for tier, dag in dags.items():
        told = dag.on_failure_callback
        assert isinstance(told, WatchNotifier if tier == "watch" else HoldfastNotifier), tier
        assert told.kind == "run_failed"
        if isinstance(told, HoldfastNotifier):
            assert (told.tier, told.environment, Path(told.policy_file).name) == (tier, "production", "demo.yaml")
        assert not any(task.on_failure_callback for task in dag.tasks), tier
        stored = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        assert stored.has_on_failure_callback, tier


def test_every_scheduled_dag_has_a_deadline(dags: dict[str, DAG]) -> None:
    """From when the run was queued, so that runs by hand have it as well; WAL gaps and restore points schedule, too."""
    assert {tier for tier, dag in dags.items() if dag.schedule is None} == BY_HAND
    for tier, dag in dags.items():
        if tier in BY_HAND:
            assert not dag.deadline, tier
            continue
        [alert] = dag.deadline
        assert type(alert.reference).__name__ == "DagRunQueuedAtDeadline", tier
        assert isinstance(alert.callback, SyncCallback)
        notifier = "watch.WatchNotifier" if tier == "watch" else "run.HoldfastNotifier"
        assert alert.callback.path == f"holdfast_airflow.notifiers.{notifier}"
        assert alert.callback.kwargs["kind"] == "deadline_missed"
        assert alert.interval > (dag.dagrun_timeout or timedelta()).total_seconds()
        # Clearing a task reads it as it is stored, which no timedelta survives.
        [stored] = DagSerialization.serialize_dag(dag)["deadline"]
        assert isinstance(stored["interval"], float), tier


def test_callbacks_carry_names_alone(dags: dict[str, DAG]) -> None:
    """Airflow keeps and logs what a callback is given: the place of the policy, and what it is about."""
    for dag in dags.values():
        for alert in dag.deadline or []:
            assert set(alert.callback.kwargs) <= {"policy_file", "environment", "tier", "kind", "folder"}
            json.dumps(alert.callback.kwargs)


@pytest.fixture
def policy(write_app: Write, environment: Section) -> Callable[..., EnvironmentPolicy]:
    """An environment's policy, without a tier wal unless it is given."""

    def make(**fields: object) -> EnvironmentPolicy:
        app = write_app("demo", production=environment(**fields))
        return load_policy(app.with_suffix(".yaml")).environments["production"]

    return make


@pytest.mark.parametrize(
    ("targets", "tier", "deadline"),
    [
        ({}, "nightly", 6 * HOUR),
        ({"rpo": "24h"}, "nightly", 6 * HOUR),
        ({"rpo": "8h"}, "monthly", 4 * HOUR),
        ({"rpo": "8h"}, "media", 4 * HOUR),
        ({"rpo": "15m"}, "nightly", HOUR),
        ({}, "restore_check", 6 * HOUR),
        ({"rto": "1h"}, "restore_check", 2 * HOUR),
        ({"rto": "12h"}, "pitr_check", 6 * HOUR),
        ({"rto": "10m"}, "restore_check", HOUR),
        ({"rto": "1h"}, "restore_drill", 26 * HOUR),
        ({"rpo": "8h", "rto": "1h"}, "media_check", 24 * HOUR),
        ({"rpo": "8h", "rto": "1h"}, "wal_check", 24 * HOUR),
    ],
)
def test_deadline_is_that_of_the_targets(
    policy: Callable[..., EnvironmentPolicy], targets: dict[str, str], tier: str, deadline: timedelta
) -> None:
    """Half of the RPO to take, twice the RTO to restore, and never so little that tries alone would miss it."""
    assert deadline_of(policy(targets=targets), tier) == deadline


def test_deadline_of_a_drill_leaves_everybody_time_to_answer(policy: Callable[..., EnvironmentPolicy]) -> None:
    """One after the other: each gate waits for as long as the policy says."""
    two = policy(approval={"needed": 2, "within": "12h"}, targets={"rto": "2h"})
    assert deadline_of(two, "restore_drill") == deadline_of(two, "pitr_drill") == 28 * HOUR


def test_deadline_where_wal_is_streamed(policy: Callable[..., EnvironmentPolicy]) -> None:
    """The RPO of a minute is that of the WAL: neither its runs of an hour nor a dump of an hour is late."""
    streamed = policy(
        database={"conn_id": "demo_db", "pitr": "streaming"},
        targets={"rpo": "1m"},
        tiers=TIERS_OF_WAL,
        wal={"run": "1h", "wait_for_wal": "30m"},
    )
    assert deadline_of(streamed, "wal") == 1.5 * HOUR
    assert deadline_of(streamed, "nightly") == 6 * HOUR
    assert deadline_of(streamed, "base_backup") == 6.5 * HOUR


TIERS_OF_WAL = {tier: TIERS[tier] for tier in ("nightly", "wal", "base_backup")}
