"""The DAGs of continuous WAL, base backups and point-in-time recovery: tasks, what starts them, where they run."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from airflow.sdk import DAG, AssetAlias, AssetOrTimeSchedule
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.simple import ContinuousTimetable

from holdfast_dags import protect

PITR = ("wal", "base_backup", "wal_check", "pitr_check", "pitr_drill")
TIERS = {
    "nightly": {"schedule": "0 2 * * *", "keep": "35d"},
    "wal": {"schedule": "continuous", "keep": "7d"},
    "base_backup": {"schedule": "0 4 * * 0", "keep": "14d"},
    "wal_check": {"schedule": "0 6 * * *"},
    "pitr_check": {"schedule": "0 7 * * 6"},
}
RECOVERED = ["pick", "recovery_environment", "recover_to_instant", "check_pages", "check_recovered"]
GAP = "x-holdfast://demo/production/wal-gap"
Build = Callable[..., dict[str, DAG]]


@pytest.fixture
def build(write_app: Callable[..., Path], environment: Callable[..., dict[str, object]]) -> Build:
    """The DAGs of an environment whose WAL is streamed, by tier, some fields replaced."""

    def make(**fields: object) -> dict[str, DAG]:
        section: dict[str, object] = {"database": {"conn_id": "demo_db", "pitr": "streaming"}, "tiers": TIERS}
        made = protect(str(write_app("demo", production=environment(**section | fields))))
        for dag in made.values():
            dag.validate()
        return {id.partition(".")[2]: dag for id, dag in made.items()}

    return make


def spine(dag: DAG) -> list[str]:
    """The tasks along which a run goes, those that stand beside it apart."""
    return [task.task_id for task in dag.topological_sort() if task.task_id != "remove_recovery"]


def test_environment_has_them_all_where_its_policy_streams(build: Build) -> None:
    """The drill comes with the base backups, without a tier of its own; elsewhere there is none of them."""
    assert set(PITR) <= set(build())
    plain = build(database={"conn_id": "demo_db"}, tiers={"nightly": {"keep": "35d"}})
    assert not set(PITR) & set(plain)


@pytest.mark.parametrize(
    ("tier", "steps"),
    [
        ("wal", ["stream_wal"]),
        ("base_backup", ["store_guard", "base_backup", "commit_base_backup", "expire"]),
        ("wal_check", ["wal_check"]),
    ],
)
def test_steps_of_each_tier(build: Build, tier: str, steps: list[str]) -> None:
    """What writes looks at the store first; a base backup exists only after its commit, and lets old ones go."""
    dag = build()[tier]
    assert [task.task_id for task in dag.topological_sort()] == steps
    for before, after in itertools.pairwise(steps):
        assert dag.get_task(before).downstream_task_ids == {after}


def test_check_and_drill_recover_for_real(build: Build) -> None:
    """The policy's questions are asked where it has any, people only of a drill, and no command ever runs."""
    dags = build()
    assert spine(dags["pitr_check"]) == [*RECOVERED, "evidence"]
    assert spine(dags["pitr_drill"]) == [*RECOVERED, "evidence", "approve", "close"]
    drill = {
        "commands": ["pnpm check"],
        "queries": {"orders": {"sql": "SELECT count(*) FROM orders", "expect": {"at_least": 1}}},
    }
    asked = build(drill=drill, approval={"needed": 2})
    assert spine(asked["pitr_check"]) == [*RECOVERED, "queries", "evidence"]
    assert spine(asked["pitr_drill"]) == [*RECOVERED, "queries", "evidence", "approve", "approve_second", "close"]


@pytest.mark.parametrize("tier", ["pitr_check", "pitr_drill"])
def test_recovered_cluster_is_removed_right_after_the_evidence(build: Build, tier: str) -> None:
    """By a teardown, whatever came of the steps, whose success makes no run green."""
    dag = build()[tier]
    removal = dag.get_task("remove_recovery")
    assert (removal.is_teardown, removal.on_failure_fail_dagrun) == (True, True)
    assert removal.upstream_task_ids == {"pick", "recovery_environment", "evidence"}
    assert removal.downstream_task_ids == set()
    assert dag.get_task("evidence").trigger_rule == "all_done"


def test_wal_runs_without_end_and_one_at_a_time(build: Build) -> None:
    """With a start in the past, without which Airflow would start it once and never again."""
    dag = build()["wal"]
    assert dag.max_active_runs == 1
    assert dag.start_date is not None and dag.start_date < datetime.now(UTC)
    assert (dag.catchup, dag.is_paused_upon_creation) == (False, False)
    stored = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    assert isinstance(stored.timetable, ContinuousTimetable)


def test_failing_wal_runs_are_kept_apart(build: Build) -> None:
    """A run that cannot work ends after minutes, not at once, for the next one begins within a second."""
    task = build()["wal"].get_task("stream_wal")
    assert (task.retry_delay, task.retry_exponential_backoff) == (timedelta(seconds=5), 2)
    pauses = [min(task.retry_delay * 2**tries, task.max_retry_delay or timedelta()) for tries in range(task.retries)]
    assert timedelta(minutes=8) < sum(pauses, timedelta()) < timedelta(minutes=15)


def test_tier_without_schedule_streams_by_hand_only(build: Build) -> None:
    """As every other tier does; a start date in the past would mean nothing."""
    dag = build(tiers=TIERS | {"wal": {"keep": "7d"}})["wal"]
    assert (dag.schedule, dag.start_date) == (None, None)


def test_gap_starts_a_base_backup(build: Build) -> None:
    """Besides its schedule; a WAL run that succeeds without one is no event."""
    dags = build()
    both = dags["base_backup"].timetable
    assert isinstance(both, AssetOrTimeSchedule)
    assert both.timetable.expression == "0 4 * * 0"  # type: ignore[attr-defined]
    assert [asset.uri for asset in both.asset_condition.objects] == [GAP]
    (outlet,) = dags["wal"].get_task("stream_wal").outlets
    assert isinstance(outlet, AssetAlias)
    (asset,) = build(tiers=TIERS | {"base_backup": {"keep": "14d"}})["base_backup"].schedule
    assert asset.uri == GAP


def test_committed_base_backup_is_an_event(build: Build) -> None:
    """Of the commit alone."""
    dag = build()["base_backup"]
    outlets = {task.task_id: [asset.uri for asset in task.outlets] for task in dag.tasks if task.outlets}
    assert outlets == {"commit_base_backup": ["x-holdfast://demo/production/base-backups"]}


def test_waiting_for_wal_holds_no_worker(build: Build) -> None:
    """For as long as the policy allows."""
    task = build(wal={"wait_for_wal": "1h"})["base_backup"].get_task("commit_base_backup")
    assert (task.mode, task.timeout) == ("reschedule", 3600)


@pytest.mark.parametrize("tier", PITR)
def test_each_task_runs_on_its_queue(build: Build, tier: str) -> None:
    """What never ends has a queue of its own, what decrypts the recovery queue; all else runs anywhere."""
    queues = {task.task_id: task.queue for task in build()[tier].tasks}
    anywhere = {"store_guard", "base_backup", "commit_base_backup", "expire", "pick", "approve", "close"}
    expected = {task: "default" if task in anywhere else "recovery" for task in queues}
    assert queues == (expected | ({"stream_wal": "wal"} if tier == "wal" else {}))


@pytest.mark.parametrize("tier", PITR)
def test_only_ids_and_boxes_are_rendered(build: Build, tier: str) -> None:
    """Nothing else can reach the rendered fields, which the UI shows."""
    fields = {field for task in build()[tier].tasks for field in task.template_fields}
    assert fields <= {"full", "base_backup", "everything", "is_dry_run", "drill", "subject_id"}


def test_forms_ask_what_they_need(build: Build) -> None:
    """A drill demands a reason; an instant may always be left to chance."""
    dags = build()
    assert dags["pitr_drill"].params.get_param("reason").schema["type"] == "string"
    for tier in ("pitr_check", "pitr_drill"):
        assert dags[tier].params["instant"] is None
    assert "reason" not in dags["pitr_check"].params
    assert dags["base_backup"].params["full"] is False
    assert dags["wal_check"].params["everything"] is False


def test_drill_is_answered_as_restore_drills_are(build: Build) -> None:
    """Whoever may back up streams and copies; whoever may restore recovers; team leads answer."""
    dags = build(tiers=TIERS | {"restore_check": {}, "restore_drill": {}})
    for tier, like in {"pitr_drill": "restore_drill", "pitr_check": "restore_check"}.items():
        assert dags[tier].access_control == dags[like].access_control
    for tier in ("wal", "base_backup", "wal_check"):
        assert dags[tier].access_control == dags["nightly"].access_control


@pytest.mark.parametrize("tier", PITR)
def test_runbook_has_a_section_for_each_task(build: Build, tier: str) -> None:
    """Filled with what the policy says, the slot's name among it."""
    dag = build(targets={"rpo": "1m", "rto": "1h"}, wal={"run": "30m", "full_every": "3d"})[tier]
    assert dag.doc_md is not None
    assert "$" not in dag.doc_md
    for task in dag.tasks:
        assert f"### `{task.task_id}`" in dag.doc_md
        assert task.doc_md is not None and len(task.doc_md) > 80 and "##" not in task.doc_md
    facts = {"wal": ("holdfast_demo_production", "30m", "16.0 GiB"), "base_backup": ("3d", "`0 4 * * 0`", "14d")}
    assert [fact for fact in facts.get(tier, ()) if fact not in dag.doc_md] == []
