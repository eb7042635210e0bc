"""Says what came of the run, for whoever waits for it."""

from __future__ import annotations

from airflow.sdk import Context

from holdfast_airflow.operators.base import Facts, StepOperator


class OutcomeOperator(StepOperator):
    """Reads the restore point once more from the store, its signatures checked, and returns its id and outcome."""

    def execute(self, context: Context) -> Facts:
        """``restore_point``, ``outcome`` (committed, or restorable where its restore check passed), and its figures."""
        from holdfast.catalog.committed import read_committed

        with self.step() as (environment, id):
            committed = read_committed(environment.catalog, id, environment.verifier())
        self.log.info("restore point %s: %s", committed.id, committed.outcome)
        return committed.as_json()
