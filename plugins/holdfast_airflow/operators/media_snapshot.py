"""Takes the media snapshot that belongs to the run's restore point."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from holdfast_airflow.assets import tell_outlets
from holdfast_airflow.operators.base import Facts, StepOperator


class MediaSnapshotOperator(StepOperator):
    """Stores what is new or changed since the last snapshot; begun after the dump, so no reference is dangling.

    With ``force`` a source that is suddenly empty is believed: before a restore that may be what has happened.
    """

    def __init__(self, *, force: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.force = force

    def execute(self, context: Context) -> Facts:
        """The snapshot's facts; a second attempt uses the shards that the first one stored."""
        from holdfast.backup import snapshot_media

        with self.step() as (environment, id):
            facts = snapshot_media(environment, id, force=self.force, progress=self.progress()).as_json()
        tell_outlets(self, context, facts)
        return facts
