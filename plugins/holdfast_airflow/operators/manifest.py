"""Commits the run's restore point."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Context, XComArg

from holdfast_airflow.operators.base import EngineOperator, Facts


class ManifestOperator(EngineOperator):
    """Writes the signed manifest, by which the restore point exists from then on."""

    template_fields = ("restore_point",)

    def __init__(self, *, restore_point: str | XComArg, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.restore_point = restore_point

    def execute(self, context: Context) -> Facts:
        """The restore point's facts, which the events of this task's outlets carry too."""
        from holdfast.backup import commit_manifest
        from holdfast.values.ids import RestorePointId

        with self.engine() as environment:
            id = RestorePointId.parse(str(self.restore_point))
            facts = commit_manifest(environment, id, progress=self.progress()).as_json()
        for outlet in self.outlets:
            context["outlet_events"][outlet].extra = dict(facts)
        return facts
