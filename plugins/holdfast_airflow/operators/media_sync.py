"""Takes a media snapshot of its own, between two restore points."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context

from holdfast_airflow import runs
from holdfast_airflow.assets import tell_outlets
from holdfast_airflow.operators.base import EngineOperator, Facts, is_yes

TIER = "media"


class MediaSyncOperator(EngineOperator):
    """Stores what is new or changed since the last snapshot; ``force`` believes a source that is suddenly empty."""

    template_fields = ("force",)

    def __init__(self, *, force: str | bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.force = force

    def execute(self, context: Context) -> Facts:
        """The snapshot's facts; a second attempt of the run makes the same snapshot, from the shards already stored."""
        from holdfast.backup import sync_media

        with self.engine() as environment:
            facts = sync_media(
                environment,
                tier=TIER,
                opened_at=runs.opened_at(context),
                origin=runs.origin(context),
                force=is_yes(self.force),
                progress=self.progress(),
            ).as_json()
        tell_outlets(self, context, facts)
        return facts
