"""Dumps the database into the run's restore point."""

from __future__ import annotations

from airflow.sdk import Context

from holdfast_airflow.operators.base import Facts, StepOperator


class DumpOperator(StepOperator):
    """Streams ``pg_dump``, encrypted, into the store, with the exact row counts of the same snapshot."""

    def execute(self, context: Context) -> Facts:
        """The step's facts; running it again finds or replaces what an earlier attempt left."""
        from holdfast.backup import dump_database

        with self.step() as (environment, id):
            return dump_database(environment, id, progress=self.progress()).as_json()
