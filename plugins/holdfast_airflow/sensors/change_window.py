"""Waits until the change window of an operation is open."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import BaseSensorOperator, Context

from holdfast_airflow.operators.operation import OperationOperator

_LOOK_EVERY = timedelta(seconds=30)
_LONGEST = timedelta(days=31)


class ChangeWindowSensor(OperationOperator, BaseSensorOperator):
    """Goes on at once where there is no change window, or where it is open; fails for good where it has closed.

    Between two looks the task is rescheduled, so that it holds no worker.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            mode="reschedule", poke_interval=_LOOK_EVERY, timeout=_LONGEST, **(kwargs | {"execution_timeout": None})
        )

    def poke(self, context: Context) -> bool:
        """Look once; raises where the window has closed meanwhile."""
        from holdfast.operation import read_operation
        from holdfast.operation.going import demand_window

        with self.opened() as (environment, operation):
            window, now = read_operation(environment, operation).window, environment.clock()
            if window is not None and now < window.begins_at:
                self.log.info("the change window opens at %s", window.begins_at.isoformat())
                return False
            demand_window(f"operation {environment.title}/{operation}", window, now)
        return True
