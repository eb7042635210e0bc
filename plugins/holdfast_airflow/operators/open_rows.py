"""Opens a recovery of rows, and the undoing of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Context

from holdfast_airflow.operators.operation_open import OpenOperationOperator, Wanted
from holdfast_airflow.rows_form import RowsForm
from holdfast_airflow.undo_form import UndoForm

if TYPE_CHECKING:
    from holdfast.environment import Environment


class OpenRowsOperator(OpenOperationOperator):
    """Opens a recovery of single rows from a restore point."""

    kind = "recover_rows"

    def wanted(self, environment: Environment, context: Context) -> Wanted:
        """As the form says."""
        form = RowsForm.of(context["params"])
        return Wanted(form.asked, form.restore_point, form.request())


class OpenUndoOperator(OpenOperationOperator):
    """Opens the undoing of a recovery of rows."""

    kind = "undo_rows"

    def wanted(self, environment: Environment, context: Context) -> Wanted:
        """It goes back from the restore point that the rows came from, which the recovery's signed evidence tells."""
        from holdfast.evidence import read_evidence
        from holdfast.values.ids import RestorePointId

        form = UndoForm.of(context["params"])
        recovery = read_evidence(environment, form.of_operation)
        return Wanted(form.asked, RestorePointId.parse(recovery.restore_point), form.request())
