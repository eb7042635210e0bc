"""Restores chosen tables: compared with a restore point row by row, then made equal to it in one transaction."""

from typing import TYPE_CHECKING

from holdfast.late_imports import late_imports

if TYPE_CHECKING:
    from holdfast.operation.tables.applying import apply_tables
    from holdfast.operation.tables.planning import plan_tables
    from holdfast.operation.tables.request import TablesRequest

__all__ = ["TablesRequest", "apply_tables", "plan_tables"]

_PLACES = {"TablesRequest": "request", "apply_tables": "applying", "plan_tables": "planning"}
__getattr__ = late_imports(__name__, _PLACES)
