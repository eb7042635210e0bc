"""A DAG run as a callback is told of it, which is in other words for a failure than for a missed deadline."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class ToldRun:
    """One run; ``state`` is the one at the time of telling, and ``since`` when it failed, or else was queued (aware).

    ``failed_tasks``: the ids of those that failed, none where Airflow does not say.
    """

    dag_id: str
    run_id: str
    state: str
    since: datetime
    failed_tasks: tuple[str, ...] = ()

    @classmethod
    def of(cls, context: Mapping[str, Any]) -> ToldRun:
        """Read the context of a DAG's failure callback, or that of a deadline's, which holds the run as JSON."""
        run = context.get("dag_run")
        if isinstance(run, Mapping):
            # It may have failed by the time that its deadline is noticed.
            since = run.get("end_date") or run.get("queued_at") or run["run_after"]
            return cls(run["dag_id"], run["dag_run_id"], str(run["state"]), _moment(since))
        dag_id, run_id = context["dag"].dag_id, context["run_id"]
        return cls(dag_id, run_id, "failed", datetime.now(UTC), _failed_tasks(context.get("ti"), dag_id, run_id))

    def __str__(self) -> str:
        return f"{self.dag_id} {self.run_id}"


def _failed_tasks(task: Any, dag_id: str, run_id: str) -> tuple[str, ...]:
    with suppress(Exception):  # a message without the tasks' names is better than none
        states = task.get_task_states(dag_id, run_ids=[run_id])
        return tuple(sorted(id for id, state in states[run_id].items() if state == "failed"))
    return ()


def _moment(told: str | datetime) -> datetime:
    return (told if isinstance(told, datetime) else datetime.fromisoformat(told)).astimezone(UTC)
