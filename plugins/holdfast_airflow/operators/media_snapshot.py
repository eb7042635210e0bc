"""Takes the media snapshot that belongs to the run's restore point."""

from __future__ import annotations

from airflow.sdk import Context

from holdfast_airflow.assets import tell_outlets
from holdfast_airflow.operators.base import Facts, StepOperator


class MediaSnapshotOperator(StepOperator):
    """Stores what is new or changed since the last snapshot; begun after the dump, so no reference is dangling."""

    def execute(self, context: Context) -> Facts:
        """The snapshot's facts; a second attempt uses the shards that the first one stored."""
        from holdfast.backup import snapshot_media

        with self.step() as (environment, id):
            facts = snapshot_media(environment, id, progress=self.progress()).as_json()
        tell_outlets(self, context, facts)
        return facts
