"""Opens the run's restore point."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from holdfast_airflow import runs
from holdfast_airflow.operators.base import EngineOperator


class OpenRestorePointOperator(EngineOperator):
    """Names the restore point after the DAG run and leaves its first mark in the store; returns its id."""

    template_fields = ("restore_point_label",)

    def __init__(self, *, tier: str, restore_point_label: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.tier = tier
        self.restore_point_label = restore_point_label

    def execute(self, context: Context) -> str:
        """The same run names the same restore point, so a second attempt opens no second one."""
        from holdfast.backup import open_restore_point

        with self.engine() as environment:
            id = open_restore_point(
                environment,
                tier=self.tier,
                opened_at=runs.opened_at(context),
                origin=runs.origin(context),
                label=self.restore_point_label or None,
            )
        self.log.info("restore point %s", id)
        return str(id)
