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
            facts: Facts = {**commit_manifest(environment, id, progress=self.progress()).as_json()}
            # The media snapshot that a restore point is paired with bears its id.
            facts["media_snapshot"] = str(id) if environment.policy.media else None
        tell_outlets(self, context, facts)
        return facts
