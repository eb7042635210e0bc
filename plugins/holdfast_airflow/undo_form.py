"""The form of the DAG that undoes a recovery of rows: which one, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from airflow.sdk import Param
from pydantic import JsonValue

from holdfast.errors import UsageError
from holdfast.values.ids import RestorePointId
from holdfast_airflow.answers import line_of
from holdfast_airflow.operation_form import ID, Asked, reason_param, window_params

_RECOVERED = "recover_rows"


@dataclass(frozen=True, slots=True)
class UndoForm:
    """The answers of a run that undoes: the operation that had recovered rows, and why they are to go again."""

    of_operation: RestorePointId
    asked: Asked

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The answers in a run's params; raises UsageError for what is no operation that recovers rows."""
        given = {name: params[name] for name in params}
        named = line_of(given.get("operation"), "operation", longest=100)
        found = RestorePointId.recognised(named or "")
        if found is None or found.tier != _RECOVERED:
            raise UsageError(
                f"operation: {named!r} is no operation that recovers rows" if named else "operation: is missing",
                hint="Take its id from the page of the run that recovered them: 20261122T090000Z-recover_rows-4f9c2a.",
            )
        return cls(found, Asked.of({**given, "restore_point": None}))

    def request(self) -> dict[str, JsonValue]:
        """What the operation is opened with."""
        return {"of": str(self.of_operation)}


def params() -> dict[str, Param]:
    """The form as Airflow shows it, and checks it when a run is triggered through the UI or the API."""
    return {
        "operation": Param(
            None,
            type="string",
            pattern=ID.replace("[a-z][a-z0-9_]*", _RECOVERED),
            title="Operation",
            description="The recovery to undo: its id, from the page of its run or from its evidence",
        ),
        "reason": reason_param(),
        **window_params(),
    }
