"""Assets: by them a DAG is started when another one has made something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Asset, BaseOperator, Context

_GROUP = "holdfast"


def restore_points(app: str, environment: str) -> Asset:
    """The restore points of one environment; updated when one is committed, its id in the event's extra."""
    return _asset(app, environment, "restore-points")


def media_snapshots(app: str, environment: str) -> Asset:
    """The media snapshots of one environment; updated when one is committed, its id in the event's extra."""
    return _asset(app, environment, "media-snapshots")


def restored(app: str, environment: str) -> Asset:
    """What is live of one environment, changed by people's will; operation, restore point and kind in the extra."""
    return _asset(app, environment, "restored")


def tell_outlets(task: BaseOperator, context: Context, facts: Mapping[str, Any]) -> None:
    """Let the events of the task's outlets carry its facts."""
    for outlet in task.outlets:
        context["outlet_events"][outlet].extra = dict(facts)


def _asset(app: str, environment: str, kind: str) -> Asset:
    # A scheme of one's own begins with x-: for any other, Airflow imports every provider that knows one.
    return Asset(name=f"{app}-{environment}.{kind}", uri=f"x-holdfast://{app}/{environment}/{kind}", group=_GROUP)
