"""The watch's DAG: one for all policies, whatever is wrong with some of them, and who may see it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, CronTriggerTimetable

from holdfast_airflow.operators.watch import policy_files
from holdfast_dags.watch import DAG_ID, watch

READ = {"DAGs": {"can_read"}, "DAG Runs": {"can_read"}}
TRIGGER = {"DAGs": {"can_read", "can_edit"}, "DAG Runs": {"can_read", "can_create"}}
SHIPPED = Path(__file__).parents[2] / "dags" / "holdfast_watch.py"
Write = Callable[..., Path]
Section = Callable[..., dict[str, Any]]


@pytest.fixture
def folder(write_app: Write, environment: Section, tmp_path: Path) -> Path:
    """A folder of DAGs with the watch's module, one app, and YAML that is no policy of a DAG."""
    write_app("demo", production=environment(), staging=environment())
    place = tmp_path / "dags"
    (place / SHIPPED.name).write_text(SHIPPED.read_text())
    (place / "demo.inventory.yaml").write_text("variables: []\n")
    return place


def made(folder: Path) -> DAG:
    """The DAG of the watch's module there."""
    return watch(str(folder / SHIPPED.name))


def test_watch_runs_every_quarter_of_an_hour(folder: Path) -> None:
    """From the start, one round at a time, and nothing is caught up with."""
    dag = made(folder)
    assert isinstance(dag.timetable, CronTriggerTimetable)
    assert (dag.dag_id, dag.timetable.expression) == (DAG_ID, "*/15 * * * *")
    assert (dag.catchup, dag.max_active_runs, dag.is_paused_upon_creation) == (False, 1, False)


def test_all_tries_are_over_before_the_next_round(folder: Path) -> None:
    """What hangs is ended, and no queue of rounds forms; it needs no key that opens backups."""
    dag = made(folder)
    [task] = dag.tasks
    tries = 1 + task.retries
    assert task.execution_timeout is not None
    assert dag.dagrun_timeout is not None
    all_of_it = tries * task.execution_timeout + task.retries * task.retry_delay
    assert all_of_it < dag.dagrun_timeout < timedelta(minutes=15)
    assert (task.retries, task.queue) == (1, "default")


def test_policies_are_those_that_have_a_module(folder: Path) -> None:
    """An inventory is none, nor is a policy that Airflow makes no DAGs of."""
    (folder / "draft.yaml").write_text("app: draft\n")
    assert [file.name for file in policy_files(folder)] == ["demo.yaml"]


def test_broken_policy_does_not_hide_the_watch(folder: Path, write_app: Write, environment: Section) -> None:
    """It hides its own app alone, and that the watch says."""
    write_app("broken", production=environment(tiers={"nighly": {}}))
    (folder / "worse.yaml").write_text("{")
    (folder / "worse.py").write_text("")
    found = DagBag(str(folder))
    assert DAG_ID in found.dags
    assert [Path(file).name for file in found.import_errors] == ["broken.py"]


def test_watch_is_for_those_who_may_see_every_environment(folder: Path, write_app: Write, environment: Section) -> None:
    """What one of them hides from a role, the watch must not show to it; who may back up everywhere may trigger it."""
    readers = dict.fromkeys(("TeamLead", "Developer", "Viewer"), READ)
    assert made(folder).access_control == {"DevOps": TRIGGER, "DBA": TRIGGER} | readers
    write_app("vault", main=environment(access={"backup": ["DevOps"], "restore": ["DBA"], "read": []}))
    assert made(folder).access_control == {"DevOps": TRIGGER, "DBA": READ, "TeamLead": READ}


def test_watch_of_a_broken_policy_is_for_those_who_act(folder: Path, write_app: Write, environment: Section) -> None:
    """Nobody knows whom it would have let read."""
    write_app("broken", production=environment(tiers={"nighly": {}}))
    assert made(folder).access_control == {"DevOps": TRIGGER, "DBA": TRIGGER, "TeamLead": READ}


def test_misspelled_role_does_not_hide_the_watch(folder: Path, write_app: Write, environment: Section) -> None:
    """A role that does not exist is an import error of its own app's; in the watch's module it would be silence."""
    (folder / "demo.yaml").unlink()
    write_app("typo", main=environment(access={"backup": ["DevOps"], "read": ["Viewers"]}))
    assert made(folder).access_control == {"DevOps": TRIGGER, "DBA": READ, "TeamLead": READ}


def test_watch_without_any_policy_is_there(tmp_path: Path) -> None:
    """For administrators alone."""
    assert watch(str(tmp_path / SHIPPED.name)).access_control == {}


def test_runbook_says_what_red_means(folder: Path) -> None:
    """For whoever is on call."""
    assert "## When the task `watch` has failed" in str(made(folder).doc_md)
