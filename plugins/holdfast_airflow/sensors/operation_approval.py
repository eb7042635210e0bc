"""The approval of an operation on the live application."""

from __future__ import annotations

from typing import TYPE_CHECKING

from holdfast_airflow.sensors.approval import ApprovalSensor

if TYPE_CHECKING:
    from datetime import datetime

    from holdfast.environment import Environment
    from holdfast.values.ids import RestorePointId


class OperationApprovalSensor(ApprovalSensor):
    """Shows the plan with what stands behind it; it may be answered until the change window ends, if there is one."""

    ui_color = "#f5e6e3"
    # Its evidence is recorded right behind a gate that was not passed.
    afterwards = "The operation ends here, and nothing live was changed. Trigger a new run once the reason is mended."

    def plan(self, environment: Environment, subject: RestorePointId) -> str:
        """The plan, the rehearsal and the fresh snapshot, as the store has them."""
        from holdfast.operation import gate_text

        return gate_text(environment, subject)

    def until(self, environment: Environment, subject: RestorePointId) -> datetime | None:
        """The end of the change window."""
        from holdfast.operation import read_operation

        window = read_operation(environment, subject).window
        return window.ends_at if window is not None else None
