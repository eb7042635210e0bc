"""Dumps the database into the run's restore point."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context, XComArg

from holdfast_airflow.operators.base import EngineOperator, Facts


class DumpOperator(EngineOperator):
    """Streams ``pg_dump``, encrypted, into the store, with the exact row counts of the same snapshot."""

    template_fields = ("restore_point",)

    def __init__(self, *, restore_point: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.restore_point = restore_point

    def execute(self, context: Context) -> Facts:
        """The step's facts; running it again finds or replaces what an earlier attempt left."""
        from holdfast.backup import dump_database
        from holdfast.values.ids import RestorePointId

        with self.engine() as environment:
            id = RestorePointId.parse(str(self.restore_point))
            return dump_database(environment, id, progress=self.progress()).as_json()
