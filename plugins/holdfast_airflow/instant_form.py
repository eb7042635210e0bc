"""The form of the DAG that finds a corruption's first instant: which rows are wrong, and which column tells when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from airflow.sdk import Param

from holdfast.errors import UsageError
from holdfast_airflow.answers import line_of
from holdfast_airflow.rows_form import condition_of, condition_param, table_param
from holdfast_airflow.tables_form import table_of

_LONGEST_COLUMN = 200


@dataclass(frozen=True, slots=True)
class InstantForm:
    """The answers of one run, each checked as far as can be without a database."""

    table: str
    time_column: str
    condition: str

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Self:
        """The answers in a run's params; raises UsageError naming the field that cannot be meant."""
        given = {name: params[name] for name in params}
        column = line_of(given.get("time_column"), "time_column", longest=_LONGEST_COLUMN)
        condition = condition_of(given.get("condition"), "condition")
        if column is None:
            raise UsageError("time_column: is missing", hint="Name the column that tells when a row was written.")
        if condition is None:
            raise UsageError("condition: is missing", hint="Write which rows are wrong, such as status IS NULL.")
        return cls(table_of(given.get("table"), "table"), column, condition)


def params() -> dict[str, Param]:
    """The form as Airflow shows it, and checks it when a run is triggered through the UI or the API."""
    return {
        "table": table_param("The table with the wrong rows"),
        "time_column": Param(
            None,
            type="string",
            minLength=1,
            maxLength=_LONGEST_COLUMN,
            title="Time column",
            description="The column that tells when a row was written, such as createdAt",
        ),
        "condition": condition_param("Which rows are wrong, as it would stand behind WHERE", is_required=True),
    }
