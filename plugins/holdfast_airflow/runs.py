"""What a DAG run says of itself: the moment and the origin that name its restore point, try after try."""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import Context, get_current_context

from holdfast.values.actor import Actor


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


def current() -> Context | None:
    """The context of the task that is at work; None outside of Airflow."""
    try:
        return get_current_context()
    except RuntimeError:
        return None


def actor(context: Context | None) -> Actor:
    """Who is at work, as the audit trail names it: who triggered the run, or what started it."""
    if context is None:
        return Actor(via="airflow")
    run = context["dag_run"]
    who = run.triggering_user_name or str(getattr(run.run_type, "value", run.run_type))
    return Actor(who, "airflow", origin(context), opened_at(context))
