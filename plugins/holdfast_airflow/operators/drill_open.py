"""Opens a drill, or a restore check: says which restore point is tried."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from airflow.sdk import Context

from holdfast.values.ids import RestorePointId
from holdfast_airflow import runs
from holdfast_airflow.drill_form import DrillForm
from holdfast_airflow.operators.base import EngineOperator


class OpenDrillOperator(EngineOperator):
    """Names the drill after the DAG run and writes down what was asked for; returns the drill's id.

    Asked for by a form, or by the restore points whose events started the run: the newest of those is tried. ``media``
    is what is restored of them where the form does not ask.
    """

    template_fields = ()

    def __init__(
        self, *, kind: Literal["restore_drill", "restore_check"], media: Literal["none", "sample", "all"], **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.kind = kind
        self.media = media

    def execute(self, context: Context) -> str:
        """The same run names the same drill of the same restore point, so a second attempt opens no second one."""
        from holdfast.drill import open_drill

        with self.engine() as environment:
            form = DrillForm.of(context["params"])
            form.demand_possible(environment.title, must_say_why=self._must_say_why(context))
            drill = open_drill(
                environment,
                kind=self.kind,
                opened_at=runs.opened_at(context),
                origin=runs.origin(context),
                restore_point=form.restore_point or self._newest(context),
                media=form.media or self.media,
                reason=form.reason,
                requested_by=context["dag_run"].triggering_user_name,
            )
        self.log.info("drill %s%s", drill, f": {form.reason}" if form.reason else "")
        return str(drill)

    def _must_say_why(self, context: Context) -> bool:
        return self.kind == "restore_drill" and runs.is_by_hand(context)

    def _newest(self, context: Context) -> RestorePointId | None:
        """The newest of the restore points whose events started the run; None where there was no event."""
        new = sorted(set(_made(context)))
        for passed_over in new[:-1]:
            self.log.warning(
                "restore point %s came while another was being checked and is passed over for a newer one; "
                "to have it checked, trigger this DAG with its id",
                passed_over,
            )
        return new[-1] if new else None


def _made(context: Context) -> Iterator[RestorePointId]:
    """Events can be made through Airflow's API too: what is no id is passed over."""
    for events in (context.get("triggering_asset_events") or {}).values():
        for event in events:
            id = RestorePointId.recognised(str((event.extra or {}).get("restore_point")))
            if id is not None:
                yield id
