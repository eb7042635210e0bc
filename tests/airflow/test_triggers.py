"""The audit trail is told once who triggered a run, by the first task of every DAG; a schedule is nobody."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import cast

import pytest
from airflow.sdk import DAG, Context

from audit_trail import told
from failing_store import FailingStore
from fix_environment import PROJECT, MakeSite
from holdfast.environment import Environment
from holdfast_airflow import runs
from holdfast_airflow.operators import ExpireOperator
from holdfast_airflow.operators.base import EngineOperator
from holdfast_airflow.triggers import tell_triggered
from holdfast_dags import protect

DUE = datetime(2026, 11, 22, 2, tzinfo=UTC)


@pytest.fixture
def environment(make_site: MakeSite) -> Environment:
    """An environment whose database is never asked for."""
    return make_site("postgresql://nobody@127.0.0.1:1/none").environment()


def _context(run_type: str = "manual", who: str | None = "dora") -> Context:
    dag_run = SimpleNamespace(
        dag_id="shop-production.expire", run_id=f"{run_type}__1", run_type=run_type, run_after=DUE,
        triggering_user_name=who,
    )  # fmt: skip
    return cast(Context, {"dag_run": dag_run})


def _task(task_id: str = "expire") -> ExpireOperator:
    return ExpireOperator(task_id=task_id, policy_file="shop.yaml", environment="production")


def test_a_person_is_told_once_for_a_run(environment: Environment) -> None:
    """However often its first task runs; and once more for the next run."""
    with DAG("shop-production.expire"):
        task = _task()
    for context in (_context(), _context(), _context("operator_triggered")):
        tell_triggered(task, replace(environment, actor=runs.actor(context)), context)
    first, second = told(environment)
    assert (first.action, first.subject, first.who, first.via) == (
        "triggered", "shop-production.expire", "dora", "airflow",
    )  # fmt: skip
    assert (first.run, second.run) == (
        "shop-production.expire/manual__1", "shop-production.expire/operator_triggered__1",
    )  # fmt: skip


@pytest.mark.parametrize("run_type", ["scheduled", "asset_triggered"])
def test_schedules_and_events_are_nobody(environment: Environment, run_type: str) -> None:
    """What they do is told where it deletes or changes, by their name."""
    context = _context(run_type, None)
    tell_triggered(_task(), environment, context)
    assert told(environment) == []
    assert runs.actor(context).who == run_type


def test_only_the_first_task_tells(environment: Environment) -> None:
    """Those behind it have nothing to add, and outside of Airflow there is no run."""
    with DAG("shop-production.expire"):
        first, second = _task("first"), _task("second")
        first >> second
    tell_triggered(second, environment, _context())
    tell_triggered(first, environment, None)
    assert told(environment) == []


def test_a_store_that_takes_no_record_stops_no_backup(
    environment: Environment, capfd: pytest.CaptureFixture[str]
) -> None:
    """The task's log says so."""
    task = _task()
    tell_triggered(task, replace(environment, store=FailingStore(environment.store, fail_at=1)), _context())
    assert "the audit trail does not tell of this" in capfd.readouterr().out
    assert told(environment) == []


@pytest.mark.parametrize("app", ["coursepedia", "campustrack"])
def test_every_dag_begins_with_a_task_that_tells(app: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person can trigger each of them."""
    for name in ("HOLDFAST_KEYS", "HOLDFAST_STATE", "HOLDFAST_PYTHON"):
        monkeypatch.setenv(name, "/srv/holdfast")
    dags = {id: dag for id, dag in protect(str(PROJECT / "dags" / f"{app}.py")).items() if isinstance(dag, DAG)}
    assert len(dags) > 10
    without = {id for id, dag in dags.items() if not all(isinstance(root, EngineOperator) for root in dag.roots)}
    assert without == set()
