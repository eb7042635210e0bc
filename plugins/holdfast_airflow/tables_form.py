"""The form of the DAG that restores tables: which of them, as they were when, and what becomes of newer rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from airflow.sdk import Param
from pydantic import JsonValue

from holdfast.errors import UsageError
from holdfast.values.ids import RestorePointId
from holdfast_airflow.answers import lines_of, one_of, table_of
from holdfast_airflow.operation_form import Asked, reason_param, restore_point_param, window_params
from holdfast_airflow.restore_choices import NONE, Choices

Mode = Literal["replace", "merge"]
MODES: tuple[Mode, ...] = ("replace", "merge")
_MOST_TABLES = 200


@dataclass(frozen=True, slots=True)
class TablesForm:
    """The answers of one run, each checked as far as can be without a database."""

    asked: Asked
    restore_point: RestorePointId
    tables: tuple[str, ...]
    mode: Mode

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The answers in a run's params; raises UsageError naming the field that cannot be meant."""
        given = {name: params[name] for name in params}
        tables = tuple(dict.fromkeys(table_of(line, "tables") for line in lines_of(given.get("tables"), "tables")))
        if not tables:
            raise UsageError("tables: none is named", hint='Name each on a line of its own, such as public."User".')
        if len(tables) > _MOST_TABLES:
            raise UsageError(
                f"tables: {len(tables)} are named, more than {_MOST_TABLES}", hint="Restore the whole database."
            )
        asked = Asked.of(params)
        return cls(asked, asked.demand_restore_point(), tables, one_of(given.get("mode"), "mode", MODES))

    def request(self) -> dict[str, JsonValue]:
        """What the operation is opened with."""
        from holdfast.operation.tables import TablesRequest

        return TablesRequest(tables=self.tables, mode=self.mode).model_dump(mode="json")


def params(choices: Choices = NONE) -> dict[str, Param]:
    """The form as Airflow shows it, and checks it when a run is triggered through the UI or the API."""
    return {
        "restore_point": restore_point_param(choices=choices),
        "tables": Param(
            None,
            type="string",
            format="multiline",
            minLength=1,
            title="Tables",
            description='One per line, or a JSON array; mixed case in quotes as in SQL: public."AttendanceRecord"',
        ),
        "mode": Param(
            "replace",
            type="string",
            enum=list(MODES),
            values_display={
                "replace": "replace: exactly the rows of the restore point; newer rows are removed",
                "merge": "merge: rows of the restore point come back; rows that only live has stay",
            },
            title="Mode",
            description="Either way the plan lists first what would change, and what is removed or changed is kept",
        ),
        "reason": reason_param(),
        **window_params(),
    }
