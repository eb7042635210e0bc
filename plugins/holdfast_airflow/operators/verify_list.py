"""Reads the stored dump back."""

from __future__ import annotations

from airflow.sdk import Context

from holdfast_airflow.operators.base import Facts, StepOperator


class VerifyListOperator(StepOperator):
    """Decrypts the stored dump to its end, checks it, and compares its list with the tables of the snapshot."""

    def execute(self, context: Context) -> Facts:
        """The step's facts; running it again finds or replaces what an earlier attempt left."""
        from holdfast.backup import verify_list

        with self.step() as (environment, id):
            return verify_list(environment, id, progress=self.progress()).as_json()
