"""Puts the configuration inventory into the run's restore point."""

from __future__ import annotations

from airflow.sdk import Context

from holdfast_airflow.operators.base import Facts, StepOperator


class InventoryOperator(StepOperator):
    """Stores names, owners and places of the configuration, encrypted; values are refused."""

    def execute(self, context: Context) -> Facts:
        """The step's facts, the drift among them; running it again finds or replaces what an earlier attempt left."""
        from holdfast.backup import record_inventory

        with self.step() as (environment, id):
            return record_inventory(environment, id, progress=self.progress()).as_json()
