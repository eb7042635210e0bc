"""The watch: one DAG for all policies, which every quarter of an hour looks whether a backup is missing (watch.md)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, CronTriggerTimetable

from holdfast.errors import PolicyError
from holdfast.policy import load_policy
from holdfast.policy.model import Access
from holdfast_airflow.notifiers import WatchNotifier
from holdfast_airflow.operators.watch import WatchOperator, policy_files
from holdfast_dags.access import watch_access
from holdfast_dags.deadlines import deadline

TIER = "watch"
DAG_ID = f"holdfast.{TIER}"
_EVERY = timedelta(minutes=15)
# Two tries and the pause between them are over before the next round is due. Each begins where the last one ended:
# what is told by then is not told again.
_TRY = timedelta(minutes=6)
# What does not even end then, since a thread of it hangs, is killed before the next round is due.
_AT_MOST = timedelta(minutes=14)
_RETRY = {"retries": 1, "retry_delay": timedelta(seconds=30)}
_RUNBOOK = Path(__file__).with_suffix(".md")


def watch(dag_file: str) -> DAG:
    """The watch over the policies that lie beside ``dag_file``; one that cannot be read hides nothing."""
    folder = str(Path(dag_file).parent)
    with DAG(
        DAG_ID,
        description="Is every backup there, young enough, whole and restorable?",
        schedule=CronTriggerTimetable("*/15 * * * *", timezone="UTC"),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=_AT_MOST,
        is_paused_upon_creation=False,
        default_args={"owner": "holdfast", **_RETRY},
        tags=["holdfast", TIER],
        doc_md=_RUNBOOK.read_text(encoding="utf-8"),
        on_failure_callback=WatchNotifier(folder=folder, kind="run_failed"),
        deadline=[
            deadline(_EVERY, WatchNotifier, {"folder": folder, "kind": "deadline_missed"}),
        ],
    ) as dag:
        WatchOperator(task_id=TIER, execution_timeout=_TRY, folder=folder)
    # As in tier_dag: the constructor would warn of it.
    dag.access_control = watch_access(_accesses(policy_files(Path(folder))))  # type: ignore[assignment]
    return dag


def _accesses(files: Iterable[Path]) -> list[Access]:
    """The section ``access`` of every environment."""
    found: list[Access] = []
    for file in files:
        try:
            found += [section.access for section in load_policy(file).environments.values()]
        except PolicyError:
            # Nobody knows who may read it. By default those may who act, but not those who only read.
            found.append(Access(read=()))
    return found
