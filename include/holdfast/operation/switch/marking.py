"""The names and marks of databases that an operation makes beside the live one or puts aside."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from holdfast.operation.records import OperationOpen
from holdfast.postgres.marker import Marker
from holdfast.postgres.switching import shortened
from holdfast.values.ids import RestorePointId

_NAME_BYTES = 63


def beside_name(live: str, operation: str) -> str:
    """The name of what an operation restores beside ``live``: always the same, so that a rerun finds its own."""
    return _joined(live, f"_beside_{RestorePointId.parse(operation)}")


def restored_name(live: str, point: RestorePointId, taken: tuple[str, ...]) -> str:
    """The name under which a restored database is kept once it was switched back from."""
    number = 1
    while True:
        name = _joined(live, f"_restored_{point}" if number == 1 else f"_restored_{point}_{number}")
        if name not in taken:
            return name
        number += 1


def marker_of(
    opened: OperationOpen, state: Literal["beside", "replaced"], live: str, keep_until: datetime | None = None
) -> Marker:
    """The mark that such a database bears as its comment."""
    return Marker(
        state=state,
        app=opened.app,
        environment=opened.environment,
        operation=opened.id,
        restore_point=opened.restore_point,
        live=live,
        keep_until=keep_until,
    )


def _joined(live: str, ending: str) -> str:
    return shortened(live, _NAME_BYTES - len(ending.encode())) + ending
