"""The DAGs that change what is live: their tasks in order, what is never tried again, and that no failure hides."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import pytest
from airflow.sdk import DAG

from holdfast_dags import protect

REHEARSAL = [
    f"rehearsal.{name}"
    for name in ("pick", "recovery_environment", "restore_database", "check_database", "restore_media", "evidence")
]
SNAPSHOT = [
    f"snapshot.{name}" for name in ("store_guard", "open", "inventory", "dump", "media", "verify_list", "manifest")
]
RESTORE = [
    *["open", "plan", *REHEARSAL, "needed", *SNAPSHOT, "approve", "await_window"],
    *["restore_beside", "restore_media_beside", "switch", "switch_media", "check_live", "evidence"],
]
MIGRATION = {"command": "npx prisma migrate deploy", "follow_up": ["npx prisma migrate resolve"]}
TIERS = ("restore", "switch_back", "rollback", "guarded_migration")
Build = Callable[..., DAG]


@pytest.fixture
def build(write_app: Callable[..., Path], environment: Callable[..., dict[str, object]]) -> Build:
    """The DAG of one kind of operation of an environment with media, some fields replaced."""

    def make(tier: str, **fields: object) -> DAG:
        section: dict[str, object] = {
            "media": {"source": "file:///srv/shop/storage"},
            "inventory": {"file": "demo.inventory.yaml"},
            "migration": MIGRATION,
            "tiers": {"nightly": {"keep": "35d"}, "snapshot": {"keep": "90d"}, "restore_check": {}},
        }
        module = write_app("demo", production=environment(**section | fields))
        dag = protect(str(module))[f"demo-production.{tier}"]
        dag.validate()
        return dag

    return make


def spine(dag: DAG) -> list[str]:
    """The tasks along which a run goes, the teardown apart."""
    return [task.task_id for task in dag.topological_sort() if not task.is_teardown]


def test_restore_rehearses_snapshots_and_asks_before_anything_live_is_touched(build: Build) -> None:
    """Each task stands behind the one before it, and behind no other."""
    dag = build("restore")
    assert spine(dag) == RESTORE
    for before, after in itertools.pairwise(RESTORE):
        assert before in dag.get_task(after).upstream_task_ids


def test_second_approver_is_a_second_gate(build: Build) -> None:
    """Where the policy wants two people."""
    gates = spine(build("restore", approval={"needed": 2}))
    assert gates[gates.index("approve") :][:3] == ["approve", "approve_second", "await_window"]


def test_rehearsal_is_left_out_where_the_policy_restores_beside_alone(build: Build) -> None:
    """Such as for a database that no other host has room for."""
    assert spine(build("restore", restore={"rehearsal": "beside"})) == [
        task for task in RESTORE if not task.startswith("rehearsal.")
    ]


def test_without_media_nothing_speaks_of_them(build: Build) -> None:
    """Neither a task nor a field of the form."""
    dag = build("restore", media=None)
    assert not [task for task in spine(dag) if "media" in task]
    assert "what" not in dag.params
    assert "what" in build("restore").params


def test_switch_back_plans_asks_and_switches(build: Build) -> None:
    """It needs no rehearsal: what it makes live again was live before."""
    steps = ["switch_back", "switch_media_back", "check_live", "evidence"]
    assert spine(build("switch_back")) == ["open", "plan", "approve", "await_window", *steps]


def test_rollback_decides_before_anything_is_restored(build: Build) -> None:
    """The database goes back only where its definitions have changed."""
    steps = ["restore_beside", "switch", "check_live", "evidence"]
    wanted = ["open", "plan", "needed", *REHEARSAL, *SNAPSHOT, "approve", "await_window", *steps]
    assert spine(build("rollback")) == wanted


def test_migration_stands_behind_its_snapshot_and_the_way_back_behind_its_failure(build: Build) -> None:
    """No snapshot, no migration; where it fails, the way back is opened before the evidence puts an end to it."""
    dag = build("guarded_migration")
    ahead = [*SNAPSHOT, "restore_check", "open", "plan", "await_migration_window", "migrate"]
    for before, after in itertools.pairwise(ahead):
        assert dag.get_task(after).upstream_task_ids == {before}
    back = ["migrate", "open_return", "plan_return", "approve", "await_window", "restore_beside", "switch"]
    for before, after in itertools.pairwise([*back, "follow_up", "check_live", "evidence_return"]):
        assert dag.get_task(after).upstream_task_ids == {before}
    assert dag.get_task("open_return").trigger_rule == "one_failed"
    assert dag.get_task("evidence").upstream_task_ids == {"migrate", "open_return"}


def test_migration_is_offered_only_where_the_policy_names_one(build: Build) -> None:
    """All others are there wherever restore points are taken, and nowhere else."""
    with pytest.raises(KeyError):
        build("guarded_migration", migration=None)
    media_only = {"media": {"schedule": "0 14 * * *"}}
    with pytest.raises(KeyError):
        build("restore", tiers=media_only)
    assert build("expire", tiers=media_only)


def test_migration_waits_for_the_snapshots_check_only_where_one_is_made(build: Build) -> None:
    """And only if the form asks for it."""
    assert build("guarded_migration").params["restore_check"] is False
    without = build("guarded_migration", tiers={"nightly": {"keep": "35d"}})
    assert "restore_check" not in spine(without)
    assert "restore_check" not in without.params


@pytest.mark.parametrize("tier", TIERS)
def test_what_changes_live_is_never_tried_again_by_itself(build: Build, tier: str) -> None:
    """What it did before it was cut off is for people to look at; each tells who waits for it what was done."""
    dag = build(tier)
    changing = {task.task_id: task for task in dag.tasks if getattr(task, "changes_live", False)}
    assert (
        set(changing)
        == {
            "restore": {"switch", "switch_media"},
            "switch_back": {"switch_back", "switch_media_back"},
            "rollback": {"switch"},
            "guarded_migration": {"migrate", "switch", "follow_up"},
        }[tier]
    )
    for task in changing.values():
        assert task.retries == 0
        assert [asset.uri for asset in task.outlets] == ["x-holdfast://demo/production/restored"]
    for gate in (task for task in dag.tasks if task.task_id.startswith("approve")):
        assert gate.retries == 0
    assert all(not task.outlets for task in dag.tasks if task.task_id == "check_live")


@pytest.mark.parametrize("tier", TIERS)
def test_evidence_is_recorded_whatever_came_of_the_steps(build: Build, tier: str) -> None:
    """It knows the tasks whose end it must know."""
    dag = build(tier)
    evidence = dag.get_task("evidence")
    assert evidence.trigger_rule == "all_done"
    acting = {"guarded_migration": ["migrate"], "rollback": ["switch"]}
    both = {"restore": ["switch", "switch_media"], "switch_back": ["switch_back", "switch_media_back"]}
    assert list(evidence.changing) == (acting | both)[tier]


@pytest.mark.parametrize("tier", TIERS)
def test_run_by_hand_only_with_a_reason(build: Build, tier: str) -> None:
    """Airflow triggers none without; several may wait for people at once."""
    dag = build(tier)
    assert dag.schedule is None
    assert dag.max_active_runs == 3
    assert dag.params.get_param("reason").schema["type"] == "string"
    assert {"window_begins", "window_ends", "ticket"} <= set(dag.params)


@pytest.mark.parametrize("tier", TIERS)
def test_steps_run_where_identity_and_live_application_are_both_at_hand(build: Build, tier: str) -> None:
    """The rehearsal keeps to the recovery hosts; whoever only asks or waits runs anywhere."""
    for task in build(tier).tasks:
        if task.task_id.startswith("rehearsal.") and task.task_id != "rehearsal.pick":
            assert task.queue == "recovery"
        elif task.task_id.startswith(("approve", "await", "open", "needed")):
            assert task.queue == "default"
        elif "." not in task.task_id and task.task_id != "restore_check":
            assert task.queue == "operations", task.task_id


@pytest.mark.parametrize("tier", TIERS)
def test_only_ids_are_rendered(build: Build, tier: str) -> None:
    """Nothing else can reach the rendered fields, which the UI shows."""
    allowed = {"operation", "drill", "restore_point", "subject_id", "is_wanted"}
    for task in build(tier).tasks:
        assert set(task.template_fields) <= allowed, task.task_id


@pytest.mark.parametrize("tier", TIERS)
def test_runbook_has_a_section_for_each_task(build: Build, tier: str) -> None:
    """A task in a group is what it is elsewhere; an operation's own are told as such."""
    dag = build(tier, approval={"needed": 2, "within": "8h", "approvers": ["dora"]})
    assert dag.doc_md is not None
    assert "$" not in dag.doc_md
    assert "two people" in dag.doc_md and "`dora`" in dag.doc_md and "8h" in dag.doc_md
    for task in dag.tasks:
        assert f"### `{task.task_id}`" in dag.doc_md
        assert task.doc_md is not None and len(task.doc_md) > 35 and "##" not in task.doc_md
    assert "signed, what was asked for" in str(dag.get_task("open").doc_md)
