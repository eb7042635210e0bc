"""Expires the environment's old restore points."""

from __future__ import annotations

from airflow.sdk import Context

from holdfast_airflow import runs
from holdfast_airflow.operators.base import EngineOperator, Facts


class ExpireOperator(EngineOperator):
    """Deletes what the policy's retention lets go, never the newest verified restore point or one on hold."""

    template_fields = ()

    def execute(self, context: Context) -> Facts:
        """What was deleted and why, and how many restore points stay."""
        from holdfast.expire import expire

        with self.engine() as environment:
            report = expire(environment, now=runs.opened_at(context), progress=self.progress())
        for deletion in report.deleted:
            self.log.info("deleted %s: %s", deletion.id, deletion.reason)
        return {**report.as_json(), "kept": len(report.kept)}
