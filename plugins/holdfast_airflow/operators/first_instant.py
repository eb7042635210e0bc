"""Finds when rows of the live database began to be wrong, and the newest restore point from before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import Context

from holdfast_airflow.instant_form import InstantForm
from holdfast_airflow.operators.base import EngineOperator, Facts

if TYPE_CHECKING:
    from holdfast.operation.instant import Instants
    from holdfast.values.ids import RestorePointId


class FirstInstantOperator(EngineOperator):
    """Asks the live database for the first and last time of the rows that a form describes; it only reads.

    The rows are counted, never shown: neither log nor XCom holds anything of them but those two times.
    """

    template_fields = ()

    def execute(self, context: Context) -> Facts:
        """First, last and number of the rows, and the id of the newest restore point from before the first of them."""
        from holdfast.operation.instant import find_restore_point_before, first_instant

        with self.engine() as environment:
            form = InstantForm.of(context["params"])
            found = first_instant(environment, table=form.table, time_column=form.time_column, predicate=form.condition)
            before = find_restore_point_before(environment, found.first) if found.first is not None else None
        notes = _notes(form, found, before)
        for note in notes:
            self.log.info("%s", note)
        return {
            "table": form.table,
            "time_column": form.time_column,
            "rows": found.rows,
            "first": found.first.isoformat() if found.first else None,
            "last": found.last.isoformat() if found.last else None,
            "is_assumed_utc": found.is_assumed_utc,
            "restore_point_before": str(before) if before else None,
            "notes": notes,
        }


def _notes(form: InstantForm, found: Instants, before: RestorePointId | None) -> list[str]:
    """What was found, in sentences."""
    rows = f"{found.rows:,} row{'' if found.rows == 1 else 's'} of {form.table}"
    if found.first is None or found.last is None:
        none = "none" if not found.rows else f"{rows}, but none with a time in {form.time_column}"
        return [f"Rows that meet the condition: {none}."]
    notes = [
        f"{rows} meet the condition: the first at {found.first.isoformat()}, the last at {found.last.isoformat()}, "
        f"by {form.time_column}."
    ]
    if found.is_assumed_utc:
        notes.append(f"The column {form.time_column} has no time zone: it was read as UTC.")
    if before is None:
        notes.append("No restore point shows a state from before the first of them.")
    else:
        notes.append(f"The newest restore point from before the first of them: {before}.")
    return notes
