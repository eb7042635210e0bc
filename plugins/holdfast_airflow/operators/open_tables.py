"""Opens a restore of tables: which of them, and back to which restore point."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Context

from holdfast_airflow.operators.operation_open import OpenOperationOperator, Wanted
from holdfast_airflow.tables_form import TablesForm

if TYPE_CHECKING:
    from holdfast.environment import Environment


class OpenTablesOperator(OpenOperationOperator):
    """Opens a restore of chosen tables over what is live."""

    kind = "restore_tables"

    def wanted(self, environment: Environment, context: Context) -> Wanted:
        """As the form says."""
        form = TablesForm.of(context["params"])
        return Wanted(form.asked, form.restore_point, form.request())
