"""Recovers single rows from a restore point into the live database, with the rows that they refer to."""

from typing import TYPE_CHECKING

from holdfast.late_imports import late_imports

if TYPE_CHECKING:
    from holdfast.operation.rows.applying import apply_rows
    from holdfast.operation.rows.planning import Planned, find_and_plan, plan_rows
    from holdfast.operation.rows.request import RowsRequest
    from holdfast.operation.rows.undoing import apply_undo_rows, plan_undo_rows

__all__ = [
    "Planned",
    "RowsRequest",
    "apply_rows",
    "apply_undo_rows",
    "find_and_plan",
    "plan_rows",
    "plan_undo_rows",
]

_PLACES = {
    "Planned": "planning",
    "RowsRequest": "request",
    "apply_rows": "applying",
    "apply_undo_rows": "undoing",
    "find_and_plan": "planning",
    "plan_rows": "planning",
    "plan_undo_rows": "undoing",
}
__getattr__ = late_imports(__name__, _PLACES)
