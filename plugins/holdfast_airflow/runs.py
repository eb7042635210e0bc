"""What a DAG run says of itself: the moment and the origin that name its restore point, try after try."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import Context


def opened_at(context: Context) -> datetime:
    """When the run was due (aware): the schedule's instant, or when someone triggered it.

    Not the logical date: whoever triggers by hand may set that to any day, past or future.
    """
    return context["dag_run"].run_after


def origin(context: Context) -> str:
    """What the run is called, unique in this Airflow and the same whenever one of its tasks runs again."""
    run = context["dag_run"]
    return origin_of(run.dag_id, run.run_id)


def origin_of(dag_id: str, run_id: str) -> str:
    """The same, for who has no context."""
    return f"{dag_id}/{run_id}"


def is_by_hand(context: Context) -> bool:
    """Did a person, or something on a person's behalf, ask for the run, rather than its schedule or an event?"""
    return context["dag_run"].run_type in ("manual", "operator_triggered")
