"""The DAG that every tier starts from: its id, tags, schedule, retries, deadline and who hears of a failure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Literal

from airflow.sdk import DAG, Asset, AssetOrTimeSchedule, CronTriggerTimetable, Param
from croniter import croniter  # type: ignore[import-untyped]

from holdfast.errors import PolicyError
from holdfast_airflow.notifiers import HoldfastNotifier
from holdfast_dags.access import access_control
from holdfast_dags.deadlines import deadline, deadline_of
from holdfast_dags.protected import Protected

RECOVERY_QUEUE = "recovery"
"""The queue of tasks that decrypt backups: in a fleet its worker holds the age identity, and reaches no database."""

OPERATION_QUEUE = "operations"
"""The queue of tasks that change what is live: in a fleet its worker holds the identity and reaches the databases."""

WAL_QUEUE = "wal"
"""The queue of tasks that never end: in a fleet its worker has a slot for each environment, and a spool for WAL."""

# About a quarter of an hour in all: a server that restarts, a network that comes back.
_RETRIES = {
    "retries": 5,
    "retry_delay": timedelta(seconds=30),
    "retry_exponential_backoff": 2,
    "max_retry_delay": timedelta(minutes=15),
}
# Airflow's own default would run a schedule that was missed by a tenth of its period. This much only bridges the
# moment between the instant of the first run and the scheduler's noticing it.
_FIRST_RUN_GRACE = timedelta(minutes=10)
_CONTINUOUS = "continuous"
# Any moment before the first run: without one, Airflow starts a continuous DAG once and then never again.
_BEFORE_ALL = datetime(2026, 1, 1, tzinfo=UTC)
# A backup shows the present: a run for a day gone by would be dated wrongly, and expire would believe the date.
_RUN_TYPES = ["scheduled", "manual", "operator_triggered", "asset_triggered", "asset_materialization"]


def tier_dag(
    protected: Protected,
    tier: str,
    *,
    params: Mapping[str, Param] | None = None,
    asset: Asset | None = None,
    runs_at_once: int = 1,
) -> DAG:
    """The tier's DAG without its tasks and runbook; each event of the ``asset`` starts it, too.

    Raises PolicyError where the schedule can never be met.
    """
    schedule = _either(_schedule(protected, tier), asset)
    told = {**protected.operator_arguments, "tier": tier, "kind": "deadline_missed"}
    dag = DAG(
        protected.dag_id(tier),
        description=f"{tier} of {protected.app} {protected.environment}",
        schedule=schedule,
        # None for a clock's schedule: with one in the past, the first thing that a new policy does at noon would be
        # last night's backup. Without it the first run is the schedule's next one.
        start_date=_BEFORE_ALL if protected.tier(tier).schedule == _CONTINUOUS else None,
        catchup=False,
        # Two backups of one environment at once would only slow each other and the application down.
        max_active_runs=runs_at_once,
        allowed_run_types=_RUN_TYPES,  # type: ignore[arg-type]  # its enumeration is not public
        # A schedule that someone wrote into a policy runs, whatever Airflow's default for new DAGs.
        is_paused_upon_creation=False,
        default_args={"owner": "holdfast", **_RETRIES},
        tags=[protected.app, protected.environment, tier],
        params=dict(params or {}),
        # Once for the run, whatever tasks of it failed.
        on_failure_callback=HoldfastNotifier(
            policy_file=str(protected.policy_file), environment=protected.environment, tier=tier, kind="run_failed"
        ),
        # Whoever starts something by hand that has no schedule is there to see how it goes.
        deadline=[deadline(deadline_of(protected.policy, tier), HoldfastNotifier, told)] if schedule else None,
    )
    # Not by the constructor, which warns at every parse of a module that would only go with Airflow 4.
    dag.access_control = access_control(protected, tier)  # type: ignore[assignment]  # invariant in its sets
    return dag


def _either(
    schedule: CronTriggerTimetable | Literal["@continuous"] | None, asset: Asset | None
) -> CronTriggerTimetable | AssetOrTimeSchedule | list[Asset] | Literal["@continuous"] | None:
    if asset is None or schedule == "@continuous":
        return schedule
    return AssetOrTimeSchedule(timetable=schedule, assets=[asset]) if schedule else [asset]


def _schedule(protected: Protected, tier: str) -> CronTriggerTimetable | Literal["@continuous"] | None:
    cron = protected.tier(tier).schedule
    if cron is None:
        return None
    if cron == _CONTINUOUS:
        return "@continuous"
    try:
        croniter(cron).get_next()  # a day that never comes, such as 31 February, is only found by looking for it
    except ValueError as error:
        field = f"environments.{protected.environment}.tiers.{tier}.schedule"
        raise PolicyError(f"policy {protected.policy_file}: {field}: {error}") from None
    return CronTriggerTimetable(cron, timezone=protected.policy.timezone, run_immediately=_FIRST_RUN_GRACE)
