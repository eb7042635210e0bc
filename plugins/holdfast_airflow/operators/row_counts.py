"""Notes how many rows each table of a committed restore point has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Context

from holdfast_airflow.operators.base import Facts, StepOperator

if TYPE_CHECKING:
    from holdfast.catalog.committed import Committed

SHOWN = 100
"""So many tables' counts go into XCom, those with the most rows; the log and the manifest have all."""


class RowCountsOperator(StepOperator):
    """Reads the signed manifest and shows the rows of every table, for comparison after a deployment or a restore."""

    def execute(self, context: Context) -> Facts:
        """Rows by table, and of how many tables they are left out."""
        from holdfast.catalog.committed import read_committed

        with self.step() as (environment, id):
            committed = read_committed(environment.catalog, id, environment.verifier())
        self._tell(committed)
        counts = committed.largest(SHOWN)
        return {**committed.as_json(), "counts": counts, "counts_left_out": len(committed.counts) - len(counts)}

    def _tell(self, committed: Committed) -> None:
        for count in committed.counts:
            self.log.info("%s: %s rows", count.table, f"{count.rows:,}")
        self.log.info("%s rows in %s tables of %s", f"{committed.rows:,}", len(committed.counts), committed.id)
