"""Assets: by them a DAG is started when another one has made something."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Asset, AssetAlias, BaseOperator, Context

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


def base_backups(app: str, environment: str) -> Asset:
    """The base backups of one environment; updated when one is committed with its WAL, its id in the event's extra."""
    return _asset(app, environment, "base-backups")


def wal_gaps(app: str, environment: str) -> Asset:
    """What makes a new base backup necessary, such as WAL that is lost; the reason in the event's extra."""
    return _asset(app, environment, "wal-gap")


def perhaps(asset: Asset) -> AssetAlias:
    """An outlet for tasks whose success does not always mean an event: they say so with ``tell``."""
    return AssetAlias(name=asset.name, group=_GROUP)


def tell(asset: Asset, context: Context, facts: Mapping[str, Any]) -> None:
    """Let this task's success be an event of an asset that is ``perhaps`` among its outlets."""
    context["outlet_events"][perhaps(asset)].add(asset, extra=dict(facts))


def tell_outlets(task: BaseOperator, context: Context, facts: Mapping[str, Any]) -> None:
    """Let the events of the task's outlets carry its facts."""
    for outlet in task.outlets:
        context["outlet_events"][outlet].extra = dict(facts)


def _asset(app: str, environment: str, kind: str) -> Asset:
    # A scheme of one's own begins with x-: for any other, Airflow imports every provider that knows one.
    return Asset(name=f"{app}-{environment}.{kind}", uri=f"x-holdfast://{app}/{environment}/{kind}", group=_GROUP)
