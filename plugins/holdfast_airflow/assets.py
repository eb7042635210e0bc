"""Assets: by them a DAG is started when another one has made something."""

from __future__ import annotations

from airflow.sdk import Asset


def restore_points(app: str, environment: str) -> Asset:
    """The restore points of one environment; updated when one is committed, its id in the event's extra."""
    return Asset(
        name=f"{app}-{environment}.restore-points",
        # A scheme of one's own begins with x-: for any other, Airflow imports every provider that knows one.
        uri=f"x-holdfast://{app}/{environment}/restore-points",
        group="holdfast",
    )
