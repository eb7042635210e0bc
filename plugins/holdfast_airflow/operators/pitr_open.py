"""Opens a drill, or a check, that recovers to an instant: says which."""

from __future__ import annotations

from typing import Any, Literal

from airflow.sdk import Context

from holdfast_airflow import runs
from holdfast_airflow.operators.base import EngineOperator
from holdfast_airflow.pitr_form import PitrForm


class OpenPitrDrillOperator(EngineOperator):
    """Names the drill after the DAG run and writes down the instant, by chance where none is given; returns its id."""

    template_fields = ()

    def __init__(self, *, kind: Literal["pitr_drill", "pitr_check"], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.kind = kind

    def execute(self, context: Context) -> str:
        """The same run names the same drill to the same instant, so a second attempt opens no second one."""
        from holdfast.drill import open_pitr_drill

        with self.engine() as environment:
            form = PitrForm.of(context["params"])
            if self.kind == "pitr_drill":
                form.demand_reason(environment.title)
            drill = open_pitr_drill(
                environment,
                kind=self.kind,
                opened_at=runs.opened_at(context),
                origin=runs.origin(context),
                to=form.instant,
                reason=form.reason,
                requested_by=context["dag_run"].triggering_user_name,
            )
        self.log.info("drill %s%s", drill, f": {form.reason}" if form.reason else "")
        return str(drill)
