"""Reads the stored dump back."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from holdfast_airflow.operators.base import Facts, StepOperator


class VerifyListOperator(StepOperator):
    """Decrypts the stored dump to its end, checks it, and compares its list with the tables of the snapshot.

    Where it ``accepts_small``, a dump far smaller than usual is no fault: before a restore that may be what has
    happened.
    """

    def __init__(self, *, accepts_small: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.accepts_small = accepts_small

    def execute(self, context: Context) -> Facts:
        """The step's facts; running it again finds or replaces what an earlier attempt left."""
        from holdfast.backup import verify_list

        with self.step() as (environment, id):
            return verify_list(environment, id, accepts_small=self.accepts_small, progress=self.progress()).as_json()
