"""The form of the DAG that finds a corruption's first instant: which rows are wrong, and which column tells when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from airflow.sdk import Param

from holdfast.errors import UsageError
from holdfast_airflow.answers import LONGEST_NAME, column_of, table_of
from holdfast_airflow.condition import condition_of, condition_param, table_param


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
        condition = condition_of(given.get("condition"), "condition")
        if condition is None:
            raise UsageError("condition: is missing", hint="Write which rows are wrong, such as status IS NULL.")
        return cls(table_of(given.get("table"), "table"), column_of(given.get("time_column"), "time_column"), condition)


def params() -> dict[str, Param]:
    """The form as Airflow shows it, and checks it when a run is triggered through the UI or the API."""
    return {
        "table": table_param("The table with the wrong rows"),
        "time_column": Param(
            None,
            type="string",
            minLength=1,
            maxLength=LONGEST_NAME,
            title="Time column",
            description="The column that tells when a row was written, such as createdAt",
        ),
        "condition": condition_param("Which rows are wrong, as it would stand behind WHERE", is_required=True),
    }
