"""Commits the run's restore point."""

from __future__ import annotations

from airflow.sdk import Context

from holdfast_airflow.assets import tell_outlets
from holdfast_airflow.operators.base import Facts, StepOperator


class ManifestOperator(StepOperator):
    """Writes the signed manifest, by which the restore point exists from then on."""

    def execute(self, context: Context) -> Facts:
        """The restore point's facts, which the events of this task's outlets carry too."""
        from holdfast.backup import commit_manifest

        with self.step() as (environment, id):
            facts = commit_manifest(environment, id, progress=self.progress()).as_json()
        tell_outlets(self, context, facts)
        return facts
