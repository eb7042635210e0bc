"""The DAGs of restore checks and restore drills: their tasks, what starts them, and that no failure hides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.sdk import DAG, AssetOrTimeSchedule

from holdfast_dags import protect

CHECK = ["pick", "recovery_environment", "restore_database", "check_database", "restore_media", "queries", "evidence"]
COMMANDS = ["pnpm_db_reconcile", "pnpm_check"]
DRILL = [*CHECK[:5], "recovery_settings", *COMMANDS, *CHECK[5:]]
Build = Callable[..., DAG]


@pytest.fixture
def build(write_app: Callable[..., Path], environment: Callable[..., dict[str, object]]) -> Build:
    """The DAG of one tier of an environment with media, commands and queries, some fields replaced."""

    def make(tier: str, **fields: object) -> DAG:
        section: dict[str, object] = {
            "media": {"source": "file:///srv/shop/storage"},
            "drill": {
                "commands": ["pnpm db:reconcile", "pnpm check"],
                "queries": {"orders": {"sql": "SELECT count(*) FROM orders", "expect": {"at_least": 1}}},
            },
            "tiers": {"nightly": {"keep": "35d"}, "restore_check": {}, "restore_drill": {}},
        }
        module = write_app("demo", production=environment(**section | fields))
        dag = protect(str(module))[f"demo-production.{tier}"]
        dag.validate()
        return dag

    return make


def spine(dag: DAG) -> list[str]:
    """The tasks along which a run goes, those that stand beside it apart."""
    return [task.task_id for task in dag.topological_sort() if task.task_id != "remove_recovery"]


def test_restore_check_ends_with_the_outcome(build: Build) -> None:
    """No command of the application, and nobody is asked."""
    assert spine(build("restore_check")) == [*CHECK, "outcome"]


def test_drill_runs_the_policys_commands_and_asks(build: Build) -> None:
    """Each command is a task of its own, named after it and shown as it is."""
    dag = build("restore_drill")
    assert spine(dag) == [*DRILL, "approve", "close"]
    assert "pnpm db:reconcile" in dag.get_task("pnpm_db_reconcile").task_display_name
    assert "`pnpm db:reconcile`" in str(dag.get_task("pnpm_db_reconcile").doc_md)


def test_second_approver_is_a_second_gate(build: Build) -> None:
    """Where the policy wants two people."""
    dag = build("restore_drill", approval={"needed": 2})
    assert spine(dag) == [*DRILL, "approve", "approve_second", "close"]
    assert dag.get_task("approve_second").upstream_task_ids == {"approve"}


def test_what_the_policy_has_not_is_no_task(build: Build) -> None:
    """No media, no commands, no queries: nobody looks for tasks that have nothing to do."""
    dag = build("restore_drill", media=None, drill=None)
    assert spine(dag) == [*DRILL[:4], "evidence", "approve", "close"]
    assert "media" not in dag.params


@pytest.mark.parametrize("tier", ["restore_check", "restore_drill"])
def test_evidence_is_recorded_whatever_came_of_the_steps(build: Build, tier: str) -> None:
    """It waits for the last of them, and runs however that ended."""
    evidence = build(tier).get_task("evidence")
    assert evidence.upstream_task_ids == {"queries"}
    assert evidence.trigger_rule == "all_done"


@pytest.mark.parametrize("tier", ["restore_check", "restore_drill"])
def test_removal_is_a_teardown_beside_the_gates(build: Build, tier: str) -> None:
    """Right after the evidence, after failures too, and its success makes no run green."""
    dag = build(tier)
    removal = dag.get_task("remove_recovery")
    assert removal.is_teardown
    assert removal.on_failure_fail_dagrun
    assert removal.upstream_task_ids == {"pick", "recovery_environment", "evidence"}
    assert removal.downstream_task_ids == set()
    assert {task.task_id for task in dag.tasks if task.is_setup} == {"pick", "recovery_environment"}


@pytest.mark.parametrize("tier", ["restore_check", "restore_drill"])
def test_all_that_sees_decrypted_data_runs_on_the_recovery_queue(build: Build, tier: str) -> None:
    """Whoever only asks, or reads signed records, runs anywhere."""
    elsewhere = {task.task_id for task in build(tier).tasks if task.queue != "recovery"}
    assert elsewhere == {"pick"} | ({"approve", "close"} if tier == "restore_drill" else set())


@pytest.mark.parametrize("tier", ["restore_check", "restore_drill"])
def test_only_the_drills_id_is_rendered(build: Build, tier: str) -> None:
    """Nothing else can reach the rendered fields, which the UI shows."""
    dag = build(tier)
    for task_id in (*CHECK[1:], "remove_recovery"):
        assert tuple(dag.get_task(task_id).template_fields) == ("drill",)
    assert tuple(dag.get_task("pick").template_fields) == ()


def test_new_restore_point_starts_its_check(build: Build) -> None:
    """Of its own environment; a schedule of the tier comes on top."""
    (asset,) = build("restore_check").schedule
    assert asset.uri == "x-holdfast://demo/production/restore-points"
    tiers = {"nightly": {"keep": "35d"}, "restore_check": {"schedule": "0 6 * * *"}}
    both = build("restore_check", tiers=tiers).timetable
    assert isinstance(both, AssetOrTimeSchedule)
    assert both.timetable.expression == "0 6 * * *"  # type: ignore[attr-defined]


def test_drill_runs_by_its_schedule_or_by_hand_only(build: Build) -> None:
    """New restore points start none."""
    assert build("restore_drill").schedule is None
    assert build("restore_drill", tiers={"restore_drill": {"schedule": "0 9 1 1,4,7,10 *"}}).schedule is not None


def test_form_demands_a_reason_where_only_people_trigger(build: Build) -> None:
    """With a schedule Airflow would refuse a field without default: the task pick demands it then."""
    assert build("restore_drill").params.get_param("reason").schema["type"] == "string"
    scheduled = build("restore_drill", tiers={"restore_drill": {"schedule": "0 9 1 1,4,7,10 *"}})
    assert scheduled.params.get_param("reason").schema["type"] == ["null", "string"]
    scheduled.params.validate()


@pytest.mark.parametrize("tier", ["restore_check", "restore_drill"])
def test_runbook_has_a_section_for_each_task(build: Build, tier: str) -> None:
    """Also for those that a policy names."""
    dag = build(
        tier, targets={"rpo": "24h", "rto": "1h"}, approval={"needed": 2, "within": "8h", "approvers": ["dora"]}
    )
    assert dag.doc_md is not None
    assert "$" not in dag.doc_md
    for task in dag.tasks:
        assert f"### `{task.task_id}`" in dag.doc_md
        assert task.doc_md is not None and len(task.doc_md) > 80 and "##" not in task.doc_md
    if tier == "restore_drill":
        assert "two people" in dag.doc_md and "`dora`" in dag.doc_md and "8h" in dag.doc_md
