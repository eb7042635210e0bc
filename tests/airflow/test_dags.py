"""The DAGs that policies make: their ids, schedules, retries and runbooks, and what a broken policy does."""

from __future__ import annotations

import itertools
import traceback
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, CronTriggerTimetable, timezone
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import TimeRestriction

from holdfast.errors import PolicyError
from holdfast_dags import UNDECLARED, protect

# But what is only there where a policy names a command for it, or takes base backups.
BESIDES = [tier for tier in UNDECLARED if tier not in ("guarded_migration", "pitr_drill")]
STEPS = ["store_guard", "open", "dump", "verify_list", "manifest", "expire"]
ALL_STEPS = ["store_guard", "open", "inventory", "dump", "media", "verify_list", "manifest", "expire"]
Write = Callable[..., Path]
Section = Callable[..., dict[str, object]]


@pytest.fixture
def nightly(write_app: Write, environment: Section) -> DAG:
    section = environment(timezone="Europe/Berlin", targets={"rpo": "24h", "rto": "1h"})
    return protect(str(write_app("demo", production=section)))["demo-production.nightly"]


def test_each_environment_gets_one_dag_per_tier_and_what_all_have(write_app: Write, environment: Section) -> None:
    """A DAG is named after app, environment and tier, and tagged with each."""
    module = write_app("demo", production=environment(), staging=environment())
    dags = protect(str(module))
    assert sorted(dags) == [
        f"demo-{name}.{tier}" for name in ("production", "staging") for tier in sorted(("nightly", *BESIDES))
    ]
    assert dags["demo-staging.nightly"].tags == {"demo", "staging", "nightly"}


def test_steps_run_one_after_the_other(nightly: DAG) -> None:
    """Every step waits for the one before it, so the manifest comes after the verification."""
    assert [task.task_id for task in nightly.topological_sort()] == STEPS
    for before, after in itertools.pairwise(STEPS):
        assert after in nightly.get_task(before).downstream_task_ids


def test_schedule_is_the_policys_in_its_time_zone(nightly: DAG) -> None:
    """No catching up, one run at a time, and on from the start."""
    assert isinstance(nightly.timetable, CronTriggerTimetable)
    assert (nightly.timetable.expression, nightly.timetable.timezone) == ("0 2 * * *", "Europe/Berlin")
    assert (nightly.catchup, nightly.max_active_runs, nightly.is_paused_upon_creation) == (False, 1, False)


def test_first_run_is_the_schedules_next_one(nightly: DAG) -> None:
    """A new policy does not start by making up for the night before it was written."""
    timetable = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(nightly)).timetable
    info = timetable.next_dagrun_info(
        last_automated_data_interval=None, restriction=TimeRestriction(nightly.start_date, None, False)
    )
    assert info is not None
    assert timezone.utcnow() - info.run_after < timedelta(minutes=10)
    assert info.run_after.in_timezone("Europe/Berlin").hour == 2


def test_tier_without_a_schedule_runs_by_hand_only(write_app: Write, environment: Section) -> None:
    """Its DAG exists and has no schedule."""
    module = write_app("demo", production=environment(tiers={"nightly": {"keep": "7d"}}))
    assert protect(str(module))["demo-production.nightly"].schedule is None


def test_backfill_is_not_allowed(nightly: DAG) -> None:
    """A backup of a day gone by would be of today, under a wrong date."""
    assert nightly.allowed_run_types is not None
    assert {kind.value for kind in nightly.allowed_run_types} >= {"scheduled", "manual"}
    assert "backfill" not in {kind.value for kind in nightly.allowed_run_types}


def test_tasks_are_tried_again_with_growing_pauses(nightly: DAG) -> None:
    """What is not worth another try ends the task by itself (test_failures)."""
    for task in nightly.tasks:
        assert task.retries == 5
        assert task.retry_exponential_backoff == 2
        assert task.max_retry_delay == timedelta(minutes=15)


def test_only_the_restore_points_id_is_rendered(nightly: DAG) -> None:
    """Nothing else can reach the rendered fields, which the UI shows."""
    assert {task.task_id: tuple(task.template_fields) for task in nightly.tasks} == {
        "store_guard": (),
        "open": ("restore_point_label",),
        "dump": ("restore_point",),
        "verify_list": ("restore_point",),
        "manifest": ("restore_point",),
        "expire": ("is_dry_run",),
    }


def test_decrypting_task_runs_on_the_recovery_queue(nightly: DAG) -> None:
    """The others need no identity and run anywhere."""
    queues = {task.task_id: task.queue for task in nightly.tasks}
    assert queues.pop("verify_list") == "recovery"
    assert set(queues.values()) == {"default"}


def test_manifest_updates_the_environments_asset(nightly: DAG) -> None:
    """Other DAGs can be started by a new restore point."""
    (asset,) = nightly.get_task("manifest").outlets
    assert asset.uri == "x-holdfast://demo/production/restore-points"


def test_runbook_says_what_the_policy_declares(nightly: DAG) -> None:
    """Whoever is on call reads times, places and targets there, and every task's own section."""
    assert nightly.doc_md is not None
    for fact in ("`0 2 * * *` (Europe/Berlin)", "`demo_db`", "/store`", "35d", "RPO 24h, RTO 1h", "demo.yaml"):
        assert fact in nightly.doc_md
    assert "$" not in nightly.doc_md
    for task in nightly.tasks:
        assert task.doc_md is not None and len(task.doc_md) > 80
        assert "##" not in task.doc_md


@pytest.fixture
def full(write_app: Write, environment: Section) -> dict[str, DAG]:
    """The DAGs of an environment with media, an inventory and every tier that backs up, and the one to expire."""
    section = environment(
        media={"source": "file:///srv/shop/storage"},
        inventory={"file": "demo.inventory.yaml"},
        tiers={
            "nightly": {"schedule": "0 2 * * *", "keep": "35d"},
            "monthly": {"schedule": "0 3 1 * *", "keep": "12mo"},
            "snapshot": {"keep": "90d"},
            "media": {"schedule": "0 14 * * *"},
            "media_check": {"schedule": "0 5 * * 6", "fraction": 0.25},
        },
    )
    made = {id.partition(".")[2]: dag for id, dag in protect(str(write_app("demo", production=section))).items()}
    return {tier: dag for tier, dag in made.items() if tier == "expire" or tier not in UNDECLARED}


@pytest.mark.parametrize(
    ("tier", "steps"),
    [
        ("nightly", ALL_STEPS),
        ("monthly", ALL_STEPS),
        ("snapshot", [*ALL_STEPS[:-1], "row_counts", "expire", "outcome"]),
        ("media", ["store_guard", "media_sync", "expire"]),
        ("media_check", ["media_check"]),
    ],
)
def test_steps_of_each_tier(full: dict[str, DAG], tier: str, steps: list[str]) -> None:
    """Media after the dump, so that no reference dangles; the manifest after all that it names."""
    assert [task.task_id for task in full[tier].topological_sort()] == steps
    for before, after in itertools.pairwise(steps):
        assert full[tier].get_task(before).downstream_task_ids == {after}


def test_runbooks_speak_of_the_tasks_that_there_are(full: dict[str, DAG], nightly: DAG) -> None:
    """Each of them, and no other: whoever is on call must not look for a task that the policy does not ask for."""
    sections = {
        task_id: f"### `{task_id}`" for dag in full.values() for task_id in [task.task_id for task in dag.tasks]
    }
    for dag in (*full.values(), nightly):
        assert dag.doc_md is not None
        assert "$" not in dag.doc_md
        present = {task.task_id for task in dag.tasks}
        assert {task_id for task_id, heading in sections.items() if heading in dag.doc_md} == present
        assert all(task.doc_md and len(task.doc_md) > 80 and "##" not in task.doc_md for task in dag.tasks)
    assert "media" not in str(nightly.doc_md).lower()
    assert "inventory" not in str(nightly.doc_md).lower()
    assert "`file:///srv/shop/storage`" in str(full["nightly"].doc_md)
    assert "12mo" in str(full["monthly"].doc_md)
    assert "25%" in str(full["media_check"].doc_md)


def test_tasks_that_decrypt_run_on_the_recovery_queue(full: dict[str, DAG]) -> None:
    """Taking media snapshots needs no identity; checking them does."""
    recovery = {task.task_id for dag in full.values() for task in dag.tasks if task.queue == "recovery"}
    assert recovery == {"verify_list", "media_check"}


def test_media_updates_an_asset_of_its_own(full: dict[str, DAG]) -> None:
    """Whether a restore point needed it or it was taken between two."""
    for tier, task in (("nightly", "media"), ("media", "media_sync")):
        (asset,) = full[tier].get_task(task).outlets
        assert asset.uri == "x-holdfast://demo/production/media-snapshots"


def test_snapshot_runs_by_hand_only(write_app: Write, environment: Section) -> None:
    """A schedule could give no label, so a policy that has one is refused."""
    tiers = {"snapshot": {"keep": "90d", "schedule": "0 2 * * *"}}
    with pytest.raises(PolicyError, match=r"tiers\.snapshot\.schedule: snapshots are taken by hand"):
        protect(str(write_app("demo", production=environment(tiers=tiers))))


def test_restore_check_is_awaited_where_there_is_one(write_app: Write, environment: Section) -> None:
    """The task stands before the outcome, and a run that does not ask for it goes on without."""
    tiers = {"snapshot": {"keep": "90d"}, "restore_check": {"schedule": "0 6 * * *"}}
    dag = protect(str(write_app("demo", production=environment(tiers=tiers))))["demo-production.snapshot"]
    assert [task.task_id for task in dag.topological_sort()][-4:] == [
        "row_counts",
        "restore_check",
        "expire",
        "outcome",
    ]
    assert dag.get_task("expire").trigger_rule == "none_failed"
    assert dag.get_task("restore_check").mode == "reschedule"
    assert "### `restore_check`" in str(dag.doc_md)


@pytest.mark.parametrize("url", ["s3://key:s3cr3tword@bucket/prefix", "s3://bucket/prefix?token=s3cr3tword"])
def test_store_url_with_a_login_is_refused_unrepeated(write_app: Write, environment: Section, url: str) -> None:
    """A store's URL is shown in runbooks and import errors, so it must hold no secret, and neither must the refusal."""
    with pytest.raises(PolicyError, match=r"store\.url: it holds a") as refused:
        protect(str(write_app("demo", production=environment(store={"url": url, "conn_id": "demo_store"}))))
    assert "s3cr3tword" not in "".join(traceback.format_exception(refused.value))


@pytest.mark.parametrize(
    ("tiers", "reason"),
    [
        ({"nighly": {"keep": "7d"}}, "tiers.nighly"),
        ({"nightly": {"schedule": "0 2 31 2 *", "keep": "7d"}}, "tiers.nightly.schedule: "),
        ({"nightly": {"schedule": "99 2 * * *", "keep": "7d"}}, "tiers.nightly.schedule: "),
    ],
    ids=["typo", "never", "no-minute"],
)
def test_broken_policy_hides_only_its_own_app(
    write_app: Write, environment: Section, tiers: dict[str, object], reason: str
) -> None:
    """The import error names file, field and reason; the app beside it keeps its DAGs."""
    module = write_app("broken", production=environment(tiers=tiers))
    write_app("healthy", production=environment())
    found = DagBag(str(module.parent))
    assert sorted(found.dags) == [f"healthy-production.{tier}" for tier in sorted(("nightly", *BESIDES))]
    assert list(found.import_errors) == [str(module)]
    last_line = found.import_errors[str(module)].strip().splitlines()[-1]
    assert "broken.yaml" in last_line
    assert f"environments.production.{reason}" in last_line


def test_import_error_does_not_show_what_a_policy_should_not_hold(write_app: Write, environment: Section) -> None:
    """A password that someone put into a policy does not go on to all who read import errors."""
    database = {"conn_id": "demo_db", "password": "s3cr3tword"}
    module = write_app("broken", production=environment(database=database))
    (error,) = DagBag(str(module.parent)).import_errors.values()
    assert "database.password" in error
    assert "s3cr3tword" not in error


def test_missing_policy_names_the_file(tmp_path: Path) -> None:
    """A module without its policy cannot protect anything, and says so."""
    with pytest.raises(PolicyError, match=r"alone\.yaml"):
        protect(str(tmp_path / "alone.py"))


def test_shipped_policies_make_their_dags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow reads one module for each app in dags/, and passes over the modules that build the DAGs."""
    monkeypatch.setenv("HOLDFAST_KEYS", "/srv/keys")
    monkeypatch.setenv("HOLDFAST_STATE", "/srv/state")
    found = DagBag(str(Path(__file__).parents[2] / "dags"))
    assert found.import_errors == {}
    assert sorted(Path(stat.file).name for stat in found.dagbag_stats) == [
        "campustrack.py",
        "coursepedia.py",
        "holdfast_watch.py",
    ]
    campustrack = [f"campustrack-{name}" for name in ("development", "staging", "production")]
    assert {f"{each}.{tier}" for each in campustrack for tier in ("nightly", "snapshot")} <= set(found.dags)
    tiers = ("nightly", "media", "media_check", "monthly", "snapshot", "wal", "base_backup", "wal_check", "pitr_check")
    assert {f"coursepedia-production.{tier}" for tier in tiers} <= set(found.dags)
