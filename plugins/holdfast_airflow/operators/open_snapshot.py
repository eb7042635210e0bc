"""Opens the restore point of a labelled snapshot."""

from __future__ import annotations

from airflow.sdk import Context

from holdfast_airflow import runs
from holdfast_airflow.operators.base import EngineOperator
from holdfast_airflow.snapshot_form import SnapshotForm

TIER = "snapshot"


class OpenSnapshotOperator(EngineOperator):
    """Refuses a form that cannot be met before any work, then names the restore point; returns its id."""

    template_fields = ()

    def execute(self, context: Context) -> str:
        """The same run names the same restore point, so a second attempt opens no second one."""
        from holdfast.backup import open_restore_point

        form = SnapshotForm.of(context["params"])
        with self.engine() as environment:
            form.demand_possible(environment.title, environment.policy)
            id = open_restore_point(
                environment,
                tier=TIER,
                opened_at=runs.opened_at(context),
                origin=runs.origin(context),
                label=form.label,
            )
        self.log.info("restore point %s, label %s%s", id, form.label, f": {form.reason}" if form.reason else "")
        return str(id)
